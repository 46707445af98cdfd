"""Claims, verdicts and the model that is audited: what all families of claims share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cards.errors import ModelError
from cards.record import RunRecord

if TYPE_CHECKING:
    from cards.provenance.trust import TrustRoot

SHOWN = 3  # differences in one line of evidence

Verdict = Literal["holds", "broken", "cannot tell"]


@dataclass(frozen=True)
class Claim:
    """One statement about a model and what the evidence says about it.

    Attributes:
        family: name of the family in `cards.audit.registry.FAMILIES`, e.g. "files".
        statement: what is claimed, in one sentence.
        verdict: "holds", "broken" or "cannot tell".
        evidence: what was compared, with figures; for a broken claim, where and how it differs.
        remedy: what to do about it; empty if the claim holds.
    """

    family: str
    statement: str
    verdict: Verdict
    evidence: str
    remedy: str = ""


@dataclass(frozen=True)
class Prediction:
    """Result of running a model again on one image of the data set.

    Attributes:
        image: name of the image, as in the record.
        metrics: value by name, for each metric of the record.
        seconds: from pixels in memory to the label image.
    """

    image: str
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Tools:
    """Functions that need a deep-learning framework or image readers; the caller passes them in.

    Attributes:
        recompute: runs the model on images of the data folder and scores the result; None without
            `--recompute`.
        compare_weights: for each weights file of the model, the largest absolute difference of its outputs
            from the recorded test tensors, by path; None if weights are compared by hash only.
        read_data: for each image of the record found in the data folder, hashes of the pixels of image and
            label image, by name; None without `--data`.
        validate_package: problems that bioimageio.spec finds in a package (a zip or a folder); None to check
            only its required fields, because bioimageio.spec takes seconds to import.
        relate: relations between the images in the data folder; None without `--data`.
    """

    recompute: Callable[[Path, RunRecord], Sequence[Prediction]] | None = None
    compare_weights: Callable[[Path, RunRecord], Mapping[str, float]] | None = None
    read_data: Callable[[Path, RunRecord], Mapping[str, tuple[str, str]]] | None = None
    relate: Callable[[Path, RunRecord], Sequence[object]] | None = None
    validate_package: Callable[[Path], Sequence[str]] | None = None


@dataclass(frozen=True)
class Subject:
    """The model under audit, in a folder on disk.

    Attributes:
        source: what the user named: a path or the id of a repository.
        kind: "run" for a run folder, "hub" for a folder as published on Hugging Face, "package" for an
            unpacked BioImage.IO package.
        folder: where its files are.
        record: the run record; None if it is missing or unreadable.
        record_error: why there is no record, in one line.
        data: the folder with the images; None without `--data`.
        tools: functions passed in by the caller.
        links_within: folder in which the targets of links may lie, for a model in the cache of a download,
            whose files are links; None if links may not leave `folder`.
        trust: whose signature is accepted; None if the user names nobody.
    """

    source: str
    kind: Literal["run", "hub", "package"]
    folder: Path
    record: RunRecord | None
    record_error: str = ""
    data: Path | None = None
    tools: Tools = field(default_factory=Tools)
    links_within: Path | None = None
    trust: TrustRoot | None = None


def record_of(subject: Subject) -> RunRecord:
    """The record of a model, for families that compare something with it.

    Args:
        subject: the model under audit.

    Returns:
        The record.

    Raises:
        ModelError: if there is none; the audit then reports the family as "cannot tell".
    """
    if subject.record is None:
        raise ModelError(subject.record_error)
    return subject.record


def sentence(error: object) -> str:
    """Word an error as the evidence of a claim.

    Args:
        error: an error, or its message.

    Returns:
        The message with a period at its end; the names of files keep their first letter.
    """
    text = str(error).rstrip(".")
    return f"{text[:1].upper() if text.startswith(('there ', 'the ')) else text[:1]}{text[1:]}."


def joined(problems: Iterable[str]) -> str:
    """Put the first differences on one line, and how many more there are.

    Args:
        problems: differences.

    Returns:
        The evidence of a claim.
    """
    problems = list(dict.fromkeys(problems))
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    text = "; ".join(problems[:SHOWN]) + more
    return text if text.endswith("…") else f"{text}."
