"""`finetune sign`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cards.errors import InputError
from cards.paths import expand_user
from finetune.cli.console import print_line

PASSWORD = "FINETUNE_KEY_PASSWORD"


def sign(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its huggingface folder.")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Private key (PEM, elliptic curve) that signs.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate of --key (PEM), stored in the signature.")
    ] = None,
    chain: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Certificates of the issuing authorities (PEM). Repeatable."),
    ] = None,
    sigstore: Annotated[
        bool, typer.Option("--sigstore", help="Sign with a Sigstore identity; opens a browser for the login.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier signatures.")] = False,
) -> None:
    """Sign a model with its card, record and weights.

    All files are signed except logs and checkpoints. Writes model.sig in the run folder, and model.sig and
    package.sig in its huggingface folder. The password of an encrypted key is read from the environment
    variable FINETUNE_KEY_PASSWORD or from the terminal.
    """
    if (key is None) != sigstore:
        raise InputError("give --key FILE or --sigstore" if not sigstore else "--sigstore takes no --key")
    if key is None and (certificate or chain) or (chain and not certificate):
        raise InputError("--certificate needs its private key: --key FILE; --chain needs --certificate")
    from cards.provenance.credentials import Credentials
    from cards.provenance.signing import sign as sign_folder
    from finetune.utils.optional import require

    require("model_signing", "signing")
    credentials = Credentials(
        None if key is None else expand_user(key),
        None if certificate is None else expand_user(certificate),
        tuple(expand_user(path) for path in chain or ()),
        _password,
    )
    for path in sign_folder(expand_user(folder), credentials, overwrite=overwrite):
        print_line(str(path))


def _password(name: str) -> str:
    import os
    import sys

    if (password := os.environ.get(PASSWORD)) is not None:
        return password
    if not sys.stdin.isatty():
        raise InputError(f"{name}: the key is encrypted; set {PASSWORD}, or run the command in a terminal")
    from getpass import getpass

    return getpass(f"Password of {name}: ")
