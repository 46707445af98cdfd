"""Family "data": the images are those of the record, in the recorded split, in any file format."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from cards.audit.claims import Claim, FoundImage, Subject, joined, record_of, sentence
from cards.base import Split
from cards.errors import InputError
from cards.fingerprint import data_digest
from cards.formatting import counted
from cards.record import DataFile, RunRecord

FAMILY = "data"
RESTORE = "Use the images of the run, or restore the record."
FOLDERS: dict[str, Split] = {
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
"""Folders whose images have that split; images in a folder `train` may be drawn for another split."""


def check(subject: Subject) -> list[Claim]:
    """Compare the images with the record.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        InputError: if there is no record.
    """
    record = record_of(subject)
    claims = [_split(record), *_published(subject, record)]
    if subject.tools.read_data is None or subject.data is None:
        statement = "The images have the recorded pixels and splits."
        evidence, remedy = "No images were given.", "Audit with --data and the folder of the images."
        return [*claims, Claim(FAMILY, statement, "cannot tell", evidence, remedy)]
    try:
        found = subject.tools.read_data(subject.data, record)
    except InputError as error:
        statement = "The folder holds the images of the record."
        return [*claims, Claim(FAMILY, statement, "broken", sentence(error), RESTORE)]
    return [*claims, *_compare(record, found)]


def _split(record: RunRecord) -> Claim:
    """What the record itself says about splits."""
    statement = "Each image has one split, that of its folder."
    files = record.data.files
    problems = []
    if record.recipe_section("data").get("csv") is None:  # a table states splits itself
        for file in files:
            folder = _folder_split(file.image)
            if folder is not None and folder != file.split:
                problems.append(f"{file.image} is recorded as a {file.split} image")
    for (split, name), count in Counter((file.split, file.name) for file in files).items():
        if count > 1:
            problems.append(f"{name} occurs {count} times among the {split} images")
    for place, count in Counter((file.image, file.page) for file in files).items():
        if count > 1:
            problems.append(f"{place[0]} is listed {count} times")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    counts = ", ".join(f"{record.data.count(split)} {split}" for split in ("train", "validation", "test"))
    return Claim(FAMILY, statement, "holds", f"{counts}.")


def _train_fraction(record: RunRecord) -> float:
    """Part of the training images that the run used; other claims compare the recipe itself."""
    fraction = record.recipe_section("data").get("train_fraction", 1.0)
    return fraction if isinstance(fraction, int | float) else 1.0


def _folder_split(path: str) -> Split | None:
    parts = PurePosixPath(path).parts[:-1]
    return next((FOLDERS[part.lower()] for part in parts if part.lower() in FOLDERS), None)


def _published(subject: Subject, record: RunRecord) -> Iterator[Claim]:
    """A named data set has a published license and hash."""
    facts = subject.tools.data_facts(record) if subject.tools.data_facts else None
    if facts is None:
        return
    statement = f"The images and their license are those of the published data set {record.data.id}."
    problems = []
    whole = _train_fraction(record) == 1
    if whole and facts.digest is not None and (found := data_digest(record.data.files)) != facts.digest:
        problems.append(f"the hash of the images is {found[:12]}…, published {facts.digest[:12]}…")
    stated = record.recipe_section("data").get("license")
    if not stated and facts.license != record.data.license:
        problems.append(f"the license is {record.data.license}, published {facts.license}")
    if problems:
        yield Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    else:
        evidence = (
            "License and hash of all pixels compared." if whole else "License compared; the run used a part."
        )
        yield Claim(FAMILY, statement, "holds", evidence)


def _compare(record: RunRecord, found: Sequence[FoundImage]) -> Iterator[Claim]:
    matched = list(_matches(record.data.files, found))
    yield _pixels(record, matched)
    yield _places(matched)
    yield _added(record, found, matched)


def _matches(
    files: Sequence[DataFile], found: Sequence[FoundImage]
) -> Iterator[tuple[DataFile, FoundImage | None]]:
    """Each image of a record with the one in the folder: by its place and name; otherwise by its pixels."""
    placed: dict[tuple[PurePosixPath, int | None], FoundImage] = {}
    equal: defaultdict[str, list[FoundImage]] = defaultdict(list)
    for image in found:
        placed.setdefault((PurePosixPath(image.path).with_suffix(""), image.page), image)
        equal[image.image_pixels].append(image)
    for file in files:
        place = PurePosixPath(file.image).with_suffix(""), file.page
        same = equal.get(file.image_pixels, [])
        by_pixels = next(
            (image for image in same if image.label_pixels == file.label_pixels), same[0] if same else None
        )
        yield file, placed.get(place, by_pixels)


def _pixels(record: RunRecord, matched: Sequence[tuple[DataFile, FoundImage | None]]) -> Claim:
    statement = "All images and label images have the recorded pixels, sizes and counts."
    problems, missing = [], []
    for file, image in matched:
        if image is None:
            missing.append(f"{file.image} is missing")
        elif image.image_pixels != file.image_pixels:
            problems.append(f"the pixels of {file.image} differ")
        elif image.label_pixels != file.label_pixels:
            problems.append(f"the labels of {file.label} differ")
        else:
            stated = {
                "shape": (tuple(file.shape), image.shape),
                "instances": (file.instances, image.instances),
            }
            problems += [
                f"{key} of {file.image}: {present}, recorded {recorded}"
                for key, (recorded, present) in stated.items()
                if present != recorded
            ]
    if problems or missing:
        return Claim(FAMILY, statement, "broken", joined(problems + missing), RESTORE)
    evidence = f"SHA-256 of the decoded pixels of {counted(len(record.data.files), 'pair')} compared."
    return Claim(FAMILY, statement, "holds", evidence)


def _places(matched: Sequence[tuple[DataFile, FoundImage | None]]) -> Claim:
    statement = "Each image is in the folder of its recorded split."
    problems = []
    for file, image in matched:
        if image is None or image.split is None:
            continue
        # Images in a folder `train` may have been drawn for another split.
        moved_to_train = image.split == "train" and _folder_split(file.image) is not None
        if moved_to_train or image.split not in ("train", file.split):
            problems.append(f"{image.path} is recorded as a {file.split} image, {file.image}")
    if problems:
        return Claim(FAMILY, statement, "broken", joined(problems), RESTORE)
    return Claim(FAMILY, statement, "holds", "No image was moved to the folder of another split.")


def _added(
    record: RunRecord, found: Sequence[FoundImage], matched: Sequence[tuple[DataFile, FoundImage | None]]
) -> Claim:
    statement = "The folder holds no other images."
    used = {(image.path, image.page) for _, image in matched if image is not None}
    added = sorted({image.path for image in found if (image.path, image.page) not in used})
    fraction = _train_fraction(record)
    if fraction < 1:  # the run chose among the training images
        others = {image.path for image in found if image.split in ("validation", "test")}
        added = [path for path in added if path in others]
    if added:
        remedy = "Remove these images, or find out whether the run left them out on purpose."
        evidence = joined(f"{path} is not in the record" for path in added)
        return Claim(FAMILY, statement, "broken", evidence, remedy)
    count = counted(len(record.data.files), "image")
    left = f"; the run used {fraction:.0%} of the training images" if fraction < 1 else ""
    return Claim(FAMILY, statement, "holds", f"{count}, as recorded{left}.")
