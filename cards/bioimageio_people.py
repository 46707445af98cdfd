"""Authors and maintainers of a BioImage.IO description.

When bioimageio.spec checks files, it also asks api.github.com for each GitHub account, and fails without a
network. No option separates the two. Therefore a description is checked without the accounts; the people are
validated by themselves, without access to files and network, and added afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cards.markdown import plain
from cards.record import RunRecord

if TYPE_CHECKING:
    from bioimageio.spec.model.v0_5 import ModelDescr

PEOPLE = ("authors", "maintainers", "packaged_by")


def authors(record: RunRecord) -> list[dict[str, str]]:
    """Describe the authors.

    Args:
        record: the run.

    Returns:
        Fields of `bioimageio.spec.generic.v0_3.Author`: those that the record states.
    """
    people = [author.stated() for author in record.card.authors]
    # The format allows no slashes in names.
    return [
        {
            key: plain(re.sub(r"[/\\]", " ", value) if key == "name" else value)
            for key, value in person.items()
        }
        for person in people
    ]


def maintainers(record: RunRecord) -> list[dict[str, str]]:
    """Describe the maintainers: the authors with a GitHub account, whom the collection asks about the model.

    Args:
        record: the run.

    Returns:
        Fields of `bioimageio.spec.generic.v0_3.Maintainer`.
    """
    return [person for person in authors(record) if "github_user" in person]


def without_accounts(content: Any) -> Any:
    """Leave out what bioimageio.spec would look up on GitHub.

    Args:
        content: of a description or a part of it, valid or not.

    Returns:
        A copy without maintainers and packagers, and with authors that have no `github_user`.
    """
    if isinstance(content, Mapping):
        return {
            key: _without_account(value) if key == "authors" else without_accounts(value)
            for key, value in content.items()
            if key not in ("maintainers", "packaged_by")
        }
    return [without_accounts(value) for value in content] if isinstance(content, list) else content


def _without_account(people: Any) -> Any:
    if not isinstance(people, list):
        return people
    return [
        {key: value for key, value in person.items() if key != "github_user"}
        if isinstance(person, Mapping)
        else person
        for person in people
    ]


def with_people(
    description: ModelDescr, people: Mapping[str, Sequence[Any]], of_weights: Mapping[str, Sequence[Any]]
) -> ModelDescr:
    """Add people to a description that was checked without their accounts.

    Args:
        description: a valid description.
        people: validated lists of people by field of the description, see `PEOPLE`.
        of_weights: validated authors by weights format.

    Returns:
        A copy with the people; everything else, including its validation summary, is the same.
    """
    weights = description.weights
    entries = {
        name: getattr(weights, name).model_copy(update={"authors": list(found)})
        for name, found in of_weights.items()
    }
    lists = {key: list(found) for key, found in people.items()}
    return description.model_copy(update={**lists, "weights": weights.model_copy(update=entries)})


def people_of(description: ModelDescr) -> tuple[dict[str, Sequence[Any]], dict[str, Sequence[Any]]]:
    """Collect the people of a description, for `with_people`.

    Args:
        description: a valid description.

    Returns:
        Stated people by field of the description, and authors by weights format.
    """
    people = {key: getattr(description, key) for key in PEOPLE if key in description.model_fields_set}
    entries = {name: entry for name, entry in description.weights if entry is not None}
    return people, {name: entry.authors for name, entry in entries.items() if entry.authors}
