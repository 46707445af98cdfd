"""`finetune audit`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cards.paths import expand_user
from finetune.cli.verify import Authorities, Identity, Issuer, PublicKey, trust_root

if TYPE_CHECKING:
    from cards.audit.claims import Claim


def audit(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, its huggingface folder, a BioImage.IO package (zip), "
            "or the id of a model on the Hugging Face Hub."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder with the images, to compare them with the record.")
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Run the model again and compare its results.")
    ] = False,
    key: PublicKey = None,
    certificate: Authorities = None,
    identity: Identity = None,
    issuer: Issuer = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the claims as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write the report as one HTML file.")] = None,
) -> None:
    """Compare every claim of a model card with the evidence.

    Each claim holds, is broken, or cannot be decided. Exit code: 0 if all claims hold, 1 if one is broken,
    3 if none is broken but some cannot be decided. Nothing in the model is executed without --recompute.
    """
    from cards.audit.run import exit_code
    from finetune.pipeline.audit import audit as run_audit

    if html is not None:
        _check_replaceable(expand_user(html))
    named = key or certificate or identity or issuer
    trust = trust_root(key, certificate, identity, issuer) if named else None
    claims = run_audit(model, data=data, recompute=recompute, trust=trust)
    if html is not None:
        from cards.audit.page import render_page
        from finetune.utils.atomic import disk_errors, write_file

        with disk_errors(html, "choose another file with --html"):
            write_file(expand_user(html), render_page(_name(model), claims))
    if as_json:
        from cards.audit.report import render_json

        print(render_json(model, claims))
    else:
        _print(model, claims)
    raise typer.Exit(exit_code(claims))


def _name(model: str) -> str:
    """What a page calls the model: its folder or file without the path, because pages are passed on."""
    path = expand_user(model)
    return path.resolve().name if path.exists() else model


def _print(model: str, claims: Sequence[Claim]) -> None:
    from rich.console import Console

    from cards.audit.report import render_lines

    console = Console(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal else None
    for line, style in render_lines(model, claims, width):
        console.print(line, style=style or None, markup=False)


def _check_replaceable(html: Path) -> None:
    """Replace the report of an earlier audit, and no other file; add no other file to a model."""
    from cards.errors import InputError
    from cards.report_audit import PAGE

    for folder in html.absolute().parents[:2]:
        if (folder / "record.json").is_file() and html.name != PAGE:
            raise InputError(
                f"{html}: would be a file of the model; choose another place, or the name {PAGE}"
            )
    if not html.exists():
        return
    if not html.is_file() or b"<h1>Audit of " not in html.read_bytes()[:20_000]:
        raise InputError(f"{html}: exists and is not the report of an audit; choose another file with --html")
