"""Changes of the record, the files and the images that take more than one line."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter

from cards.evidence import Parent, Registration, Relation, Selection
from cards.fingerprint import data_digest, sha256_file, sha256_pixels
from cards.record import RunRecord
from cards.scores import ImageScore
from tamper_cases.edits import Change, Place, packaged, recorded

README, MODEL = "huggingface/README.md", "huggingface/model.safetensors"


def scores_of(record: RunRecord) -> list[ImageScore]:
    assert record.accuracy is not None
    return record.accuracy.after.scores


def better(record: RunRecord) -> None:
    """Raise one score, and all figures that follow from it."""
    from finetune.metrics.summary import paired_change, summarize

    scores = scores_of(record)
    scores[0].metrics["dice"] = min(1.0, scores[0].metrics["dice"] + 0.02)
    assert record.accuracy is not None
    record.accuracy.after = summarize(scores)
    if record.accuracy.before:
        record.accuracy.change = paired_change(record.accuracy.before.scores, scores)


def faster(record: RunRecord) -> None:
    assert record.timing is not None
    record.timing.median_seconds /= 2


def narrower(record: RunRecord) -> None:
    assert record.accuracy is not None and record.accuracy.change is not None
    change = record.accuracy.change
    change.low = change.mean - (change.mean - change.low) / 4


def split(record: RunRecord) -> None:
    next(file for file in record.data.files if file.split == "test").split = "train"


def adjacent(record: RunRecord) -> None:
    """Claim that a test image is adjacent to a training image which is not there."""
    test = next(file for file in record.data.files if file.split == "test")
    relation = Relation(
        image=test.name, split="test", related_to="absent", kind="same field", evidence="a border continues"
    )
    assert record.leakage is not None
    record.leakage.relations.append(relation)


def same_pixels(record: RunRecord) -> None:
    train = next(file for file in record.data.files if file.split == "train")
    next(file for file in record.data.files if file.split == "test").image_pixels = train.image_pixels


def on_test(record: RunRecord) -> None:
    tests = record.data.count("test")
    selection = Selection(
        what="epoch", value=str(record.training.best_epoch), metric="Dice", split="test", images=tests
    )
    record.training.selections = [selection]


def threshold(record: RunRecord) -> None:
    options = dict(record.model.target.options)
    options["boundary_threshold"] = 0.9
    record.model.target = record.model.target.model_copy(update={"options": options})


def registered(record: RunRecord) -> None:
    tests = [file for file in record.data.files if file.split == "test"]
    late = datetime.fromisoformat(record.created) + timedelta(minutes=5)
    record.registration = Registration(
        metric="dice",
        value=0.1,
        test_images=data_digest(tests),
        recipe_sha256="0" * 64,
        registered=late.isoformat(),
    )


def registered_others(record: RunRecord) -> None:
    early = datetime.fromisoformat(record.created) - timedelta(days=1)
    record.registration = Registration(
        metric="dice", value=0.1, test_images="0" * 64, recipe_sha256="0" * 64, registered=early.isoformat()
    )


def first_epoch(record: RunRecord) -> None:
    record.training.history[0].validation_dice = 0.99


def swap_weights(place: Place) -> None:
    """The weights of the base model instead of the trained ones."""
    shutil.copyfile(place.run.parent / "base" / MODEL, place.run / MODEL)


def swap_cover(content: dict[str, bytes]) -> None:
    content["cover.png"] = content["cover.png"][:-20] + b"\0" * 20


def test_output(content: dict[str, bytes]) -> None:
    values = bytearray(content["test_output.npy"])
    values[-4:] = np.float32(7).tobytes()
    content["test_output.npy"] = bytes(values)


def second_package(place: Place) -> None:
    shutil.copyfile(place.package, place.package.with_name("copy.zip"))


def trained_otherwise(members: dict[str, bytes]) -> None:
    """One number of the first layer."""
    numbers = np.frombuffer(members["archive/data/0"], np.float32).copy()
    numbers[0] += 0.5
    members["archive/data/0"] = numbers.tobytes()


def code(members: dict[str, bytes]) -> None:
    """A function of the system in place of a class of torch: `torch.load` without `weights_only` calls it."""
    description = members["archive/data.pkl"]
    assert b"ccollections\nOrderedDict\n" in description
    members["archive/data.pkl"] = description.replace(b"ccollections\nOrderedDict\n", b"cposix\nsystem\n", 1)


def adjacent_tiles(place: Place) -> None:
    """Replace a training and a test image by two halves of one image, with their hashes in the record."""
    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.normal(size=(128, 64)), 3)
    field = np.uint8(255 * (field - field.min()) / np.ptp(field))
    halves = {"train": field[:64], "test": field[64:]}
    record = RunRecord.read(place.run)
    for split, pixels in halves.items():
        file = next(file for file in record.data.files if file.split == split)
        tifffile.imwrite(place.data / file.image, pixels)
        file.image_pixels = sha256_pixels(pixels[None])
        file.image_sha256 = sha256_file(place.data / file.image)
    recorded(lambda found: setattr(found, "data", record.data))(place)


def unlink(name: str) -> Change:
    return lambda place: (place.run / name).unlink()


def duplicate(place: Place) -> None:
    for kind in ("images", "masks"):
        folder = place.data / "train" / kind
        shutil.copyfile(folder / "disc_00.tif", folder / "disc_99.tif")


def swap_images(place: Place) -> None:
    first, second = (place.data / split / "images" / "disc_00.tif" for split in ("train", "test"))
    other = second.read_bytes()
    second.write_bytes(first.read_bytes())
    first.write_bytes(other)


def put(name: str, value: object) -> Change:
    """Set a field of the record by its path."""

    def change(record: RunRecord) -> None:
        *parents, last = name.split(".")
        place: object = record
        for parent in parents:
            place = getattr(place, parent)
        setattr(place, last, value)

    return recorded(change)


def repack(place: Place, change: object) -> None:
    """Change the package with the hashes in its description, and leave its hash in the record."""
    record = RunRecord.read(place.run)
    packaged(change)(place)  # type: ignore[arg-type]
    for folder in (place.run, place.run / "huggingface"):
        (folder / "record.json").write_text(record.dumps(), encoding="utf-8")


def higher_threshold(content: dict[str, Any]) -> None:
    """Another threshold in config.json."""
    content["target"]["options"]["boundary_threshold"] = 0.9


def shallower(content: dict[str, Any]) -> None:
    """Another network in config.json."""
    content["architecture"]["options"]["depth"] = 4


def add_script(place: Place) -> None:
    """Add a file."""
    (place.run / "extra.py").write_text("pass\n")


def replace_picture(place: Place) -> None:
    """Replace a picture of the card."""
    (place.run / "huggingface/pictures/training.png").write_bytes(b"x")


def cut_off(place: Place) -> None:
    """Cut the last bytes off the weights."""
    path = place.run / MODEL
    path.write_bytes(path.read_bytes()[:-8])


def repack_cover(place: Place) -> None:
    """Replace the cover of the package, and leave the hash of the package in the record."""
    repack(place, swap_cover)


def other_mean(record: RunRecord) -> None:
    """A mean that does not follow from the scores."""
    assert record.accuracy is not None
    record.accuracy.after.summary["dice"].mean = 0.99


def other_deviation(record: RunRecord) -> None:
    """A standard deviation that does not follow from the scores."""
    assert record.accuracy is not None
    record.accuracy.after.summary["dice"].std = 1e-4


def no_deviation(record: RunRecord) -> None:
    """No standard deviation of scores of several images."""
    assert record.accuracy is not None
    record.accuracy.after.summary["dice"].std = None


def non_commercial_data(record: RunRecord) -> None:
    """Data that allow no commercial use, and a model that does."""
    record.data.license, record.card.license = "CC-BY-NC-4.0", "MIT"


def copyleft_base(record: RunRecord) -> None:
    """A base model whose adaptations have its license, and a model that has another one."""
    record.model.base.license, record.card.license = "GPL-3.0-only", "MIT"


def without_warnings(record: RunRecord) -> None:
    """Remove what the author and the run warn of."""
    record.warnings, record.card.limits = [], ["None."]


def without_first(mask: np.ndarray) -> np.ndarray:
    """Remove the first instance of a mask."""
    return np.where(mask == 1, 0, mask).astype(mask.dtype)


def remove_image(place: Place) -> None:
    """Remove an image with its mask."""
    for kind in ("images", "masks"):
        (place.data / "test" / kind / "disc_00.tif").unlink()


def invented_parent(record: RunRecord) -> None:
    """A famous ancestor."""
    record.model.base.parents = [Parent(name="sam2.1-hiera-large", repository="sam2", revision="0" * 40)]
