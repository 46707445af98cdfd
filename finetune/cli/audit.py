"""`finetune audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finetune.cli.verify import Authorities, Identity, Issuer, PublicKey, trust_root


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
        bool, typer.Option("--recompute", help="Run the model again and compare its accuracy.")
    ] = False,
    key: PublicKey = None,
    certificate: Authorities = None,
    identity: Identity = None,
    issuer: Issuer = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the claims as JSON.")] = False,
) -> None:
    """Compare every claim of a model card with the evidence.

    Each claim holds, is broken, or cannot be decided. Exit code: 0 if all claims hold, 1 if one is broken,
    3 if none is broken but some cannot be decided. Nothing in the model is executed without --recompute.
    """
    from cards.audit.report import render_json, render_text
    from cards.audit.run import exit_code
    from finetune.pipeline.audit import audit as run_audit

    named = key or certificate or identity or issuer
    trust = trust_root(key, certificate, identity, issuer) if named else None
    claims = run_audit(model, data=data, recompute=recompute, trust=trust)
    print(render_json(model, claims) if as_json else render_text(model, claims))
    raise typer.Exit(exit_code(claims))
