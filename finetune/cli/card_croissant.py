"""`finetune card croissant`."""

from __future__ import annotations

from finetune.cli.arguments import OutFile, RecordSource
from finetune.cli.console import print_document


def croissant(model: RecordSource, out: OutFile = None) -> None:
    """Describe the data of a run in the Croissant format.

    The description has one hash per image and per label image. Prints JSON, or writes it to a new file, for
    example croissant.json in the data folder.
    """
    from finetune.utils.optional import require

    require("mlcroissant", "provenance")
    from cards.provenance.croissant import croissant as describe
    from finetune.downloads.records import fetch_record

    print_document(describe(fetch_record(model)), out)
