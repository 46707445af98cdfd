"""`finetune verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.paths import expand_user
from finetune.cli.console import print_line

if TYPE_CHECKING:
    from cards.provenance.trust import TrustRoot

PublicKey = Annotated[Path | None, typer.Option(metavar="FILE", help="Public key (PEM) of the signer.")]
Authorities = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Certificate (PEM) of a trusted authority. Repeatable."),
]
Identity = Annotated[
    str | None, typer.Option(help="Sigstore identity of the signer, such as an e-mail address.")
]
Issuer = Annotated[str | None, typer.Option(metavar="URL", help="Login service that confirmed --identity.")]


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A run folder, a published folder or an unpacked package.")
    ],
    key: PublicKey = None,
    certificate: Authorities = None,
    identity: Identity = None,
    issuer: Issuer = None,
    signature: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Signature file, if it is not in the folder.")
    ] = None,
) -> None:
    """Verify who signed a model, and that no file has changed.

    Card, record and weights must be signed. The exit code is 1 if the signature is not valid.
    """
    from cards.provenance.contents import names
    from cards.provenance.verification import verify as verify_folder
    from finetune.utils.optional import require

    trust = trust_root(key, certificate, identity, issuer)
    require("model_signing", "signing")
    outcomes = verify_folder(expand_user(folder), trust, signature and expand_user(signature))
    for outcome in outcomes:
        compared = outcome.comparison
        print_line(f"{outcome.signature}: {outcome.authenticity.evidence}")
        for problem in outcome.comparison.problems:
            print_line(f"  {problem}", style="red")
        if not compared.problems:
            print_line(f"  all {compared.signed} signed files are unchanged")
        if compared.left_out:
            print_line(f"  not signed, as the signature states: {names(compared.left_out)}")
    if any(outcome.problems for outcome in outcomes):
        raise typer.Exit(1)


def trust_root(
    key: Path | None, certificates: list[Path] | None, identity: str | None, issuer: str | None
) -> TrustRoot:
    """Whose signature the options accept."""
    from cards.provenance.trust import TrustRoot

    return TrustRoot(
        None if key is None else expand_user(key),
        tuple(expand_user(path) for path in certificates or ()),
        identity,
        issuer,
    )
