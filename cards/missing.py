"""What a card does not state or measure, and how to supply each item.

A card shows "not stated" and "not measured" where the value would be. This table adds the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass

from cards import formatting as words
from cards.markdown import code
from cards.record import RunRecord
from cards.tables import Rows
from cards.tags import modality, structures


@dataclass(frozen=True)
class Item:
    """Something that a card can state.

    Attributes:
        label: what is missing.
        present: whether the record has it.
        status: "not stated" or "not measured".
        remedy: recipe key or command that supplies it, as Markdown.
    """

    label: str
    present: bool
    status: str
    remedy: str


def missing(record: RunRecord) -> list[Item]:
    """List the items that the record lacks.

    Args:
        record: the run.

    Returns:
        Statements of the author, then of the data, then measurements.
    """
    return [item for item in (*_stated(record), *_measured(record)) if not item.present]


def table(record: RunRecord) -> Rows:
    """The items that the record lacks, with the recipe key that supplies each.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    return [
        ["Item", "Status", "Supplied by"],
        *([item.label, item.status, item.remedy] for item in missing(record)),
    ]


def _stated(record: RunRecord) -> list[Item]:
    author, data, links = record.card, record.data, record.card.links
    return [
        Item(label, bool(value), words.NOT_STATED, code(key))
        for label, value, key in (
            ("Authors", author.authors, "card.authors"),
            ("License", (author.license or "").strip(), "card.license"),
            ("Intended use", author.intended_use, "card.intended_use"),
            ("Out-of-scope use", author.out_of_scope, "card.out_of_scope"),
            ("Modality", modality(author.tags), "card.tags"),
            ("Target structures", structures(author.tags), "card.tags"),
            ("Description of the images", author.images, "card.images"),
            ("Further biases", author.biases, "card.biases"),
            ("Further risks", author.risks, "card.risks"),
            ("Recommendations of the authors", author.recommendations, "card.recommendations"),
            (
                "GitHub account of an author",
                any(person.github_user for person in author.authors),
                "card.authors",
            ),
            ("Funding", author.funding, "card.funding"),
            ("Contact", author.contact, "card.contact"),
            ("Repository", links.repository, "card.links.repository"),
            ("Paper", links.paper, "card.links.paper"),
            ("Demo", links.demo, "card.links.demo"),
            ("Source of the data", data.source, "data.source"),
            ("License of the data", data.license, "data.license"),
            ("Citation of the data", data.citation, "data.citation"),
        )
    ]


def _measured(record: RunRecord) -> list[Item]:
    pretrained = record.model.base.weights == "pretrained"
    leakage = record.leakage
    known = leakage is not None and leakage.base_model_exposure != "unknown"
    packaged = any(file.path.endswith(".zip") for file in record.files)
    validated = any(file.split == "validation" for file in record.data.files)
    return [
        Item("Validation images", validated, words.NOT_STATED, code("data.validation")),
        Item(
            "Accuracy without prompts" if record.prompts else "Accuracy",
            record.accuracy is not None,
            words.NOT_MEASURED,
            code("evaluation.automatic_images" if record.prompts else "data.test"),
        ),
        Item(
            "Relation of the test to the training images",
            leakage is not None or record.data.count("test") == 0,
            words.NOT_MEASURED,
            "a run of finetune 0.3.0 or later",
        ),
        Item(
            "Whether the base model has seen the test images",
            known or not pretrained,
            "unknown",
            "the documentation of the base model",
        ),
        Item(
            "Pre-registered target value",
            record.registration is not None,
            words.NOT_STATED,
            code("finetune run --register"),
        ),
        Item(
            "Tests of the package in other environments",
            len({check.environment for check in record.runtimes}) > 1 or not packaged,
            words.NOT_MEASURED,
            code("finetune test-package"),
        ),
        Item(
            "Energy and CO₂",
            record.training.energy is not None,
            words.NOT_MEASURED,
            code("compute.energy"),
        ),
    ]
