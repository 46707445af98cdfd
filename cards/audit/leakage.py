"""Family "leakage": the record states how test images relate to training, selection and the base model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from cards.audit.claims import Claim, Subject, joined, record_of, sentence
from cards.audit.reading import read_json
from cards.audit.values import differences
from cards.errors import InputError, ModelError
from cards.evidence import Leakage, Relation
from cards.fingerprint import data_digest
from cards.formatting import counted
from cards.record import DataFile, RunRecord
from cards.registration import outcome

FAMILY = "leakage"
RESTORE = "Restore the record, or train again with finetune, which compares the images."
REGISTRATION = "registration.json"  # the run wrote it before training
Key = tuple[str, str, str]


def check(subject: Subject) -> list[Claim]:
    """Check copies, relations, selections, exposure of the base model and the registered target.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        InputError: if there is no record.
    """
    record = record_of(subject)
    return [
        _copies(record),
        _related(subject, record),
        _selected(record),
        _selections(record),
        _exposure(record),
        *_registered(record),
        *_registration_file(subject, record),
    ]


def _copies(record: RunRecord) -> Claim:
    """Equal hashes in the record need no images to be found."""
    statement = "No test or validation image is a copy of a training image, unless the record says so."
    relations = record.leakage.relations if record.leakage else []
    stated = {(relation.split, relation.image) for relation in relations if relation.kind == "exact"}
    problems = [
        f"{file.name} ({file.split}) has the pixels of {other.name}"
        for file, other in _equal_pixels(record.data.files)
        if (file.split, file.name) not in stated
    ]
    if problems:
        remedy = "Remove the copies from the data, and train and test again."
        return Claim(FAMILY, statement, "broken", joined(problems), remedy)
    evidence = f"Recorded hashes of the pixels of {counted(len(record.data.files), 'image')} compared."
    return Claim(FAMILY, statement, "holds", evidence)


def _equal_pixels(files: Sequence[DataFile]) -> Iterator[tuple[DataFile, DataFile]]:
    train = {file.image_pixels: file for file in files if file.split == "train"}
    validation = {file.image_pixels: file for file in files if file.split == "validation"}
    for file in files:
        if file.split != "train" and file.image_pixels in train:
            yield file, train[file.image_pixels]
        elif file.split == "test" and file.image_pixels in validation:
            yield file, validation[file.image_pixels]


def _related(subject: Subject, record: RunRecord) -> Claim:
    statement = "The record names every validation and test image that is related to a training image."
    leakage = record.leakage
    if leakage is None:
        evidence = "The run did not compare its images."
        return Claim(FAMILY, statement, "cannot tell", evidence, "Train again with this version of finetune.")
    if problems := list(_odd_relations(record, leakage)):
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    if subject.tools.relate is None or subject.data is None:
        evidence = f"The record names {counted(len(leakage.relations), 'image')}; no images were given."
        remedy = "Audit with --data and the folder of the images."
        return Claim(FAMILY, statement, "cannot tell", evidence, remedy)
    try:
        again = subject.tools.relate(subject.data, record)
    except InputError as error:
        remedy = "Give the folder with the images of the run."
        return Claim(FAMILY, statement, "cannot tell", sentence(error), remedy)
    found, stated = _keys(again.relations), _keys(leakage.relations)
    problems = [f"{image} ({split}, {kind}) is not in the record" for split, image, kind in found - stated]
    problems += [f"{image} ({split}, {kind}) was not found again" for split, image, kind in stated - found]
    if problems:
        return Claim(FAMILY, statement, "broken", joined(sorted(problems)), RESTORE)
    kinds = Counter(kind for _, _, kind in found)
    details = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    evidence = f"Images compared again: {details or 'none is related'}."
    return Claim(FAMILY, statement, "holds", evidence)


def _keys(relations: Iterable[Relation]) -> set[Key]:
    return {(relation.split, relation.image, relation.kind) for relation in relations}


def _odd_relations(record: RunRecord, leakage: Leakage) -> Iterator[str]:
    """Relations that name images which the record does not have."""
    names = {(file.split, file.name) for file in record.data.files}
    for relation in leakage.relations:
        if (relation.split, relation.image) not in names:
            yield f"{relation.image} is not a {relation.split} image of the record"
        if ("train", relation.related_to) not in names:
            yield f"{relation.related_to} is not a training image of the record"


def _selected(record: RunRecord) -> Claim:
    statement = "Nothing was selected by its score on test images."
    problems = [
        f"{selection.what} ({selection.value}) was selected by {selection.metric} on "
        f"{counted(selection.images, 'test image')}"
        for selection in record.training.selections
        if selection.split == "test"
    ]
    if problems:
        remedy = "Select on validation images, and measure accuracy on test images once."
        return Claim(FAMILY, statement, "broken", joined(problems), remedy)
    splits = sorted({selection.split for selection in record.training.selections})
    evidence = f"Selected on {' and '.join(splits)} images." if splits else "The record states no selection."
    return Claim(FAMILY, statement, "holds", evidence)


def _selections(record: RunRecord) -> Claim:
    """Selections agree with the history and the target of the record."""
    statement = "The record states what was selected, and on which images."
    how, counts = record.training, {s: record.data.count(s) for s in ("train", "validation", "test")}
    stated = {selection.what: selection for selection in how.selections}
    problems = [
        f"{selection.what}: selected on {selection.images} {selection.split} images; the record holds "
        f"{counts[selection.split]}"
        for selection in how.selections
        if not selection.images or selection.images != counts[selection.split]
    ]
    options = record.model.target.options
    if how.selections or record.leakage is not None:  # older records state no selections
        validated = any(epoch.validation is not None for epoch in how.history)
        if validated and how.best_epoch is not None and "epoch" not in stated:
            problems.append("the best epoch was selected on validation images, and no selection states it")
        for name in record.model.target.selected_on_validation:
            if name not in stated:
                problems.append(f"{name} was selected on validation images, and no selection states it")
    for what, selection in stated.items():
        actual = how.best_epoch if what == "epoch" else options.get(what)
        if actual is not None and not _same(selection.value, actual):
            problems.append(f"{what}: selected {selection.value}, the model has {actual}")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    what = ", ".join(f"{selection.what} {selection.value}" for selection in how.selections)
    return Claim(FAMILY, statement, "holds", f"{what or 'Nothing was selected'}.")


def _same(stated: str, actual: object) -> bool:
    """Compare a selected value with the one of the model; numbers as numbers."""
    try:
        return float(stated) == float(str(actual))
    except ValueError:
        return stated == str(actual)


def _exposure(record: RunRecord) -> Claim:
    """Whether the base model has seen the test images."""
    base = record.model.base
    statement = (
        "The base model was neither trained nor selected on the test images, unless the record says so."
    )
    if base.weights == "random":
        return Claim(FAMILY, statement, "holds", "The weights were initialized at random.")
    exposure = record.leakage.base_model_exposure if record.leakage else "unknown"
    source = record.leakage.exposure_source if record.leakage else None
    if exposure == "unknown" or (exposure == "not seen" and not source):
        evidence = f"Exposure: {exposure}; {'source: ' + source if source else 'no source is stated'}."
        remedy = f"Find out on which images {base.id} was trained."
        return Claim(FAMILY, statement, "cannot tell", evidence, remedy)
    evidence = f"Exposure: {exposure}; source: {source or 'stated in the record'}."
    return Claim(FAMILY, statement, "holds", evidence)


def _registered(record: RunRecord) -> Iterator[Claim]:
    if record.registration is None or (stated := outcome(record)) is None:
        return
    statement = "The target value was registered before training, for these test images."
    problems = [objection.rstrip(".") for objection in stated.objections]
    if record.registration.metric not in {metric.name for metric in record.metrics}:
        problems.append(f"{record.registration.metric} is not a metric of the record")
    if problems:
        yield Claim(
            FAMILY, statement, "broken", joined(problems), "Compare with the registration that was published."
        )
    else:
        tests = [file for file in record.data.files if file.split == "test"]
        evidence = f"{stated.registered}; hash of the test images {data_digest(tests)[:12]}…"
        yield Claim(FAMILY, statement, "holds", evidence)


def _registration_file(subject: Subject, record: RunRecord) -> Iterator[Claim]:
    """Compare the file that the run wrote before training with the record."""
    listed = any(file.path == REGISTRATION for file in record.files)
    if subject.kind != "run" or not (listed or (subject.folder / REGISTRATION).exists()):
        return
    statement = f"{REGISTRATION} is the registration in the record."
    try:
        found = read_json(subject, REGISTRATION)
    except ModelError as error:
        yield Claim(FAMILY, statement, "broken", sentence(error), RESTORE)
        return
    expected = record.registration.model_dump(mode="json") if record.registration else {}
    if problems := differences(found, expected):
        yield Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    else:
        yield Claim(FAMILY, statement, "holds", "All values compared.")
