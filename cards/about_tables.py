"""Tables of a card on the model as a whole: details, lineage, related images and environmental impact."""

from __future__ import annotations

from cards import formatting as words
from cards import statements as facts
from cards.leakage import LABELS, relations
from cards.markdown import Markdown, code, linked
from cards.people import GITHUB_PAGE, ORCID_PAGE
from cards.record import RunRecord
from cards.tables import Rows
from cards.tags import modality, structures

MAX_RELATIONS = 100
"""Related images that a card lists; the record has all of them."""


def details(record: RunRecord) -> Rows:
    """Version, authors, license, base model, type and input of the model, and links that the author states.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    author, links = record.card, record.card.links
    optional = {
        "Modality": modality(author.tags),
        "Target structures": ", ".join(structures(author.tags)),
        "Description of the images": author.images,
        "Funding": author.funding,
        "Contact": author.contact,
        "Repository": links.repository,
        "Paper": links.paper,
        "Demo": links.demo,
    }
    return [
        ["Version", f"{record.name}, {record.created[:10]}"],
        ["Authors", authors(record)],
        ["License", words.stated(author.license)],
        ["Base model", facts.base_model(record)],
        ["Model type", f"{record.model.architecture.name}, {facts.task_in_words(record)}"],
        ["Input", f"2D image with {words.counted(record.model.channels, 'channel')}"],
        *([name, linked(text)] for name, text in optional.items() if text and text.strip()),
    ]


def authors(record: RunRecord) -> Markdown:
    """Name the authors, with affiliation and with links to ORCID iD and GitHub account.

    Args:
        record: the run.

    Returns:
        Markdown on one line; "not stated" without authors.
    """
    people = []
    for author in record.card.authors:
        orcid = f"{ORCID_PAGE}{author.orcid}" if author.orcid else None
        account = f"{GITHUB_PAGE}{author.github_user}" if author.github_user else None
        known = [detail for detail in (author.affiliation, orcid, account) if detail]
        people.append(f"{author.name} ({'; '.join(known)})" if known else author.name)
    return linked(words.stated(", ".join(people)))


def lineage(record: RunRecord) -> Rows:
    """The base model and the models from which it descends, nearest first.

    Args:
        record: a run with a base model.

    Returns:
        Rows of cells, the first of which is the header.
    """
    base = record.model.base
    rows = [["Model", "Repository", "Revision", "SHA-256 of the weights"]]
    chain = [(base.id, base.repository, base.revision, base.sha256)]
    chain += [
        (parent.name, parent.repository, parent.revision, parent.weights_sha256) for parent in base.parents
    ]
    for name, repository, revision, sha256 in chain:
        digest = code(words.short(sha256)) if sha256 else words.NOT_STATED
        rows.append([name, repository, words.stated(revision), digest])
    return rows


def related(record: RunRecord) -> Rows:
    """Images outside the training split that are related to a training image.

    Args:
        record: a run whose images were compared.

    Returns:
        Rows of cells, the first of which is the header; at most `MAX_RELATIONS` images, those for testing
        first.
    """
    rows = [["Image", "Split", "Training image", "Relation", "Evidence"]]
    for split in ("test", "validation"):
        for relation in (relations(record, split) or {}).values():
            cells = [code(relation.image), split, code(relation.related_to), LABELS[relation.kind]]
            rows.append([*cells, words.stated(relation.evidence)])
    more = len(rows) - 1 - MAX_RELATIONS
    if more > 0:
        rows[MAX_RELATIONS + 1 :] = [[f"and {more:,} more in record.json", "", "", "", ""]]
    return [[cell or "…" for cell in row] for row in rows]


def impact(record: RunRecord) -> Rows:
    """Hardware and duration of the training, its energy and CO2.

    Args:
        record: the run.

    Returns:
        Rows of cells, the first of which is the header.
    """
    energy = record.training.energy
    rows = [
        ["Hardware", facts.trained_on(record)],
        ["Training time", words.duration(record.training.seconds)],
    ]
    if energy is None:
        return rows + [[name, words.NOT_MEASURED] for name in ("Energy", "CO₂ equivalent")]
    return [
        *rows,
        ["Energy", f"{energy.kilowatt_hours:.3g} kWh, measured by {energy.source}"],
        ["CO₂ equivalent", words.mass(energy.co2_kilograms)],
        ["Region", words.stated(energy.region)],
        ["Cloud provider", words.stated(energy.provider)],
    ]
