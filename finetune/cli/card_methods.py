"""`finetune card methods`."""

from __future__ import annotations

from finetune.cli.arguments import RecordSource


def methods(model: RecordSource) -> None:
    """Print a paragraph for the methods section of a paper."""
    from cards.methods import methods as paragraph
    from finetune.downloads.records import fetch_record

    print(paragraph(fetch_record(model)))
