"""What is published about the named data set of an audited model. Imports no readers of images."""

from __future__ import annotations

from cards.audit.claims import DataFacts
from cards.record import RunRecord
from finetune.data.datasets import DATASETS


def data_facts(record: RunRecord) -> DataFacts | None:
    """Look up the named data set that a record claims to use; see `cards.audit.claims.Tools`.

    Args:
        record: of the run.

    Returns:
        What is published; None if the record names no data set, or other images.
    """
    data = DATASETS.get(record.data.id)
    section = record.recipe.get("data", {})
    if data is None or not isinstance(section, dict) or section.get("name") != data.id:
        return None
    if record.data.source != data.source:  # the run found other images, and its card names no data set
        return None
    return DataFacts(data.pixels, data.license)
