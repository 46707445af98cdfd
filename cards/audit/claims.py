"""Claims, verdicts and the model that is audited: what all families of claims share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cards.base import Split
from cards.errors import InputError, ModelError
from cards.evidence import Leakage
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
class FoundImage:
    """An image in the data folder, with its label image.

    Attributes:
        name: as the record names images: unique within its split.
        path: of the image, relative to the data folder, with forward slashes.
        page: index from 0 in a stack; None for a file with one image.
        split: "train", "validation" or "test" if its folder states that; None otherwise.
        image_pixels: `cards.fingerprint.sha256_pixels` of the image.
        label_pixels: the same of its label image.
        shape: of the image: channels, height, width.
        instances: number of instances in the label image.
    """

    name: str
    path: str
    page: int | None
    split: Split | None
    image_pixels: str
    label_pixels: str
    shape: tuple[int, ...]
    instances: int


@dataclass(frozen=True)
class BaseFacts:
    """What is known of a base model besides the record.

    Attributes:
        source: where that was found, e.g. "the cache of the Hub".
        sha256: of its weights; None if they are not at hand.
        license: SPDX id; None if unknown.
    """

    source: str
    sha256: str | None = None
    license: str | None = None


@dataclass(frozen=True)
class DataFacts:
    """What is published about a named data set.

    Attributes:
        digest: `cards.fingerprint.data_digest` of all its images; None if it is not published.
        license: SPDX id.
    """

    digest: str | None
    license: str | None


@dataclass(frozen=True)
class Processing:
    """BioImage.IO operations of a package, each with `id` and, unless it has no options, `kwargs`.

    Attributes:
        before: from the image to the input of the network; None if the normalization is not known here.
        behind: from the output of the network to maps or labels; None if the target is not known here.
        sources: code of the networks that finetune writes into packages, by name of the class; None if the
            network is of another package.
    """

    before: Sequence[Mapping[str, Any]] | None
    behind: Sequence[Mapping[str, Any]] | None
    sources: Mapping[str, Collection[str]] | None = None


@dataclass(frozen=True)
class Tools:
    """Functions that need a deep-learning framework or image readers; the caller passes them in.

    Attributes:
        recompute: runs the model (a folder) on the test images of the data folder and scores the result; None
            without `--recompute`.
        compare_weights: for each weights file of the model, how much its output differs from the recorded
            test tensors, by path: the largest difference relative to the largest value, or the fraction of
            pixels with another label; None if weights are compared byte for byte only.
        read_data: all images in the data folder; None without `--data`.
        validate_package: problems that bioimageio.spec finds in a package (a zip or a folder); None to check
            only its required fields, because bioimageio.spec takes seconds to import.
        relate: compares the images in the data folder as the run did; None without `--data`.
        base_facts: looks up the base model in catalogs and caches; None if nothing is known.
        data_facts: looks up the named data set; None if nothing is known.
        processing: the BioImage.IO operations before and after the network that follow from normalization
            and target in the record, and the code of the network; None if packages are not compared with
            them.
    """

    recompute: Callable[[Path, Path, RunRecord], Sequence[Prediction]] | None = None
    compare_weights: Callable[[Path, RunRecord], Mapping[str, float]] | None = None
    read_data: Callable[[Path, RunRecord], Sequence[FoundImage]] | None = None
    relate: Callable[[Path, RunRecord], Leakage] | None = None
    validate_package: Callable[[Path], Sequence[str]] | None = None
    base_facts: Callable[[RunRecord], BaseFacts | None] | None = None
    data_facts: Callable[[RunRecord], DataFacts | None] | None = None
    processing: Callable[[RunRecord], Processing] | None = None


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
        trust: whose signature is accepted; None if the user names nobody.
    """

    source: str
    kind: Literal["run", "hub", "package"]
    folder: Path
    record: RunRecord | None
    record_error: str = ""
    data: Path | None = None
    tools: Tools = field(default_factory=Tools)
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


def collect(family: str, parts: Iterable[Callable[[], Iterable[Claim]]]) -> list[Claim]:
    """Check the parts of a family, each on its own: one that cannot be checked must not hide the others.

    Args:
        family: its name.
        parts: functions that check a part.

    Returns:
        The claims of all parts; for a part that fails, one claim that cannot be decided.
    """
    claims: list[Claim] = []
    for part in parts:
        try:
            claims += part()
        except InputError as error:
            claims.append(
                _undecided(family, sentence(error), "Correct what the evidence names and audit again.")
            )
        except Exception as error:  # a model that nobody foresaw
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            claims.append(_undecided(family, reason, "Report this as a defect of finetune."))
    return claims


def _undecided(family: str, evidence: str, remedy: str) -> Claim:
    statement = f"All claims of the family {family} can be checked."
    return Claim(family, statement, "cannot tell", evidence, remedy)


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
