"""The kinds of tampers: what is changed, and the family of claims that has to be broken."""

from __future__ import annotations

from cards.people import Author
from tamper_cases.edits import (
    Change,
    checkpoint,
    config,
    described,
    hidden,
    image,
    inside,
    moved,
    onnx_weight,
    packaged,
    recorded,
    stored_weight,
    text,
    weight,
)
from tamper_cases.signatures import signature_of_another, signed_by_another, signed_then, signed_without_card
from tamper_cases.steps import (
    MODEL,
    README,
    add_script,
    adjacent,
    adjacent_tiles,
    better,
    code,
    copyleft_base,
    cut_off,
    duplicate,
    faster,
    first_epoch,
    higher_threshold,
    invented_parent,
    narrower,
    no_deviation,
    non_commercial_data,
    on_test,
    other_deviation,
    other_mean,
    put,
    registered,
    registered_others,
    remove_image,
    repack_cover,
    replace_picture,
    same_pixels,
    scores_of,
    second_package,
    shallower,
    split,
    swap_images,
    swap_weights,
    test_output,
    threshold,
    trained_otherwise,
    unlink,
    without_first,
    without_warnings,
)

RAISED = (r"0\.(\d)\d{3} ±", r"0.99\g<1>9 ±")
HARDWARE = r"(?m)^(\| .*(?:CPU|Device|Hardware)[^|]*\| )[^|]+"
LIMIT = r"(?m)^- .*Accuracy on other kinds.*\n"
CLAIM = "\nApproved for clinical use.\n\n## "
VERSION = "    version: 9.9.9"
EARLY = "2020-01-01T00:00:00+00:00"
ZERO = "0" * 64

TEXT: dict[str, tuple[str, Change]] = {
    "a figure of the card, rounded up": ("card", hidden(text(README, *RAISED))),
    "a figure of the model-index": ("card", hidden(text(README, r"value: 0\.\d+", "value: 0.9999"))),
    "the date on the card": ("card", hidden(text(README, r"20\d\d-\d\d-\d\d", "2020-01-01"))),
    "the number of images on the card": ("card", hidden(text(README, r"\b3 test images", "300 test images"))),
    "the hardware on the card": (
        "card",
        hidden(text(README, HARDWARE, r"\1NVIDIA H100 ")),
    ),
    "the time per image on the card": ("card", hidden(text(README, r"\d+(\.\d+)? ms", "0.1 ms"))),
    "a sentence added to the card": (
        "card",
        hidden(text(README, r"\n## ", CLAIM)),
    ),
    "the title on the card": ("card", hidden(text(README, r"(?m)^# .*$", "# The best model"))),
    "the license of the card": ("card", hidden(text(README, r"(?m)^---\n", "---\nlicense: mit\n"))),
    "a limitation removed from the card": (
        "card",
        hidden(text(README, LIMIT, "")),
    ),
    "a figure of the report": ("card", hidden(text("report.html", *RAISED))),
    "a score in scores.csv": ("card", hidden(text("scores.csv", r"after,0\.\d", "after,0.99"))),
    "a score in figure.csv": ("card", hidden(text("figure.csv", r",0\.\d", ",0.99"))),
    "points in figure.svg": ("card", hidden(text("figure.svg", r'y="1(\d\d\.)', r'y="\g<1>'))),
    "a mean in figure.svg": (
        "card",
        hidden(text("figure.svg", r"(?s)(>Dice</text>.*?>)0\.\d{3}<", r"\g<1>0.999<")),
    ),
    "the recipe": ("card", hidden(text("recipe.yaml", r"learning_rate: [\d.e-]+", "learning_rate: 0.1"))),
    "another threshold in config.json": (
        "card",
        config(higher_threshold),
    ),
    "the normalization in config.json": ("card", config(lambda it: it["normalize"].update(high=50.0))),
    "the architecture in config.json": (
        "card",
        config(shallower),
    ),
    "a card edited without its hash": ("files", text(README, r"0\.(\d)\d{3}", r"0.9\g<1>99")),
    "one copy of the record": ("card", text("record.json", r'"seed": \d+', '"seed": 77')),
}
FILES: dict[str, tuple[str, Change]] = {
    "a weight": ("files", weight(MODEL)),
    "a file removed": ("files", unlink("huggingface/config.json")),
    "a file added": ("files", add_script),
    "a picture replaced": (
        "files",
        replace_picture,
    ),
    "two packages with one id": ("files", second_package),
    "a checkpoint": ("files", checkpoint(trained_otherwise)),
}
WEIGHTS: dict[str, tuple[str, Change]] = {
    "a weight, with its hash": ("weights", hidden(weight(MODEL))),
    "a weight that is not a number": ("weights", hidden(weight(MODEL, float("nan")))),
    "the weights of the base model": ("weights", hidden(swap_weights)),
    "a weight in TorchScript": ("weights", stored_weight("weights-torchscript.pt")),
    "a weight in the state dict": ("weights", stored_weight("weights.pt")),
    "a weight in ONNX": ("weights", packaged(onnx_weight)),
    "weights cut off": (
        "weights",
        hidden(cut_off),
    ),
    "a checkpoint, with its hash": ("weights", hidden(checkpoint(trained_otherwise))),
    "code in a checkpoint, with its hash": ("weights", hidden(checkpoint(code))),
}
ADDED: dict[str, tuple[str, Change]] = {
    "a figure in the ML-BOM": ("card", described(r'"value": "0\.\d+"', '"value": "0.9999"')),
    "a hash in the ML-BOM": ("card", described(r'"content": "\w{64}"', f'"content": "{ZERO}"')),
}
PACKAGE: dict[str, tuple[str, Change]] = {
    "a figure of rdf.yaml": ("card", inside("rdf.yaml", r"parameter_count: \d+", "parameter_count: 5")),
    "the name in rdf.yaml": ("card", inside("rdf.yaml", r"(?m)^name: .*$", "name: A better model")),
    "the date in rdf.yaml": (
        "card",
        inside("rdf.yaml", r"timestamp: .*", f"timestamp: '{EARLY}'"),
    ),
    "the license in rdf.yaml": ("card", inside("rdf.yaml", r"(?m)^license:.*$", "license: CC0-1.0")),
    "the version of finetune in rdf.yaml": (
        "card",
        inside("rdf.yaml", r"(?m)^    version: .*$", VERSION),
    ),
    "the hash of the data in rdf.yaml": (
        "card",
        inside("rdf.yaml", r"data_sha256: \w+", f"data_sha256: {ZERO}"),
    ),
    "the documentation of the package": ("card", inside("README.md", *RAISED)),
    "the record in the package": ("card", inside("record.json", r'"seed": \d+', '"seed": 77')),
    "the target in rdf.yaml": (
        "card",
        inside("rdf.yaml", r"boundary_threshold: [\d.]+", "boundary_threshold: 0.9"),
    ),
    "the limits of the preprocessing in rdf.yaml": ("card", inside("rdf.yaml", r"max: 20\.0", "max: 5.0")),
    "the percentiles in rdf.yaml": (
        "card",
        inside("rdf.yaml", r"max_percentile: [\d.]+", "max_percentile: 80.0"),
    ),
    "the postprocessing in rdf.yaml": (
        "card",
        inside("rdf.yaml", r"- id: sigmoid", "- id: zero_mean_unit_variance"),
    ),
    "the cover, without its hash in the record": ("files", repack_cover),
}
RECORD: dict[str, tuple[str, Change]] = {
    "one score and all that follows": ("card", recorded(better)),
    "the mean alone": ("card", recorded(other_mean)),
    "the standard deviation alone": (
        "card",
        recorded(other_deviation),
    ),
    "the standard deviation left out": ("card", recorded(no_deviation)),
    "a score left out": ("accuracy", recorded(lambda it: scores_of(it).pop())),
    "a narrower interval": ("accuracy", recorded(narrower)),
    "the time per image": ("accuracy", recorded(faster)),
    "the history of the training": ("accuracy", recorded(first_epoch)),
    "the number of test images": ("accuracy", put("accuracy.images", 300)),
    "the split of one image": ("data", recorded(split)),
    "an image listed twice": ("data", recorded(lambda it: it.data.files.append(it.data.files[0]))),
    "a test image that is a training image": ("leakage", recorded(same_pixels)),
    "a relation to an absent image": ("leakage", recorded(adjacent)),
    "selected on test": ("leakage", recorded(on_test)),
    "selections removed": ("leakage", put("training.selections", [])),
    "registered after training": ("leakage", recorded(registered)),
    "registered for other images": ("leakage", recorded(registered_others)),
    "another threshold": ("card", recorded(threshold)),
    "another base revision": ("card", put("model.base.revision", "0" * 40)),
    "another base model": ("card", put("model.base.id", "a-better-model")),
    "the hash of the base model removed": ("card", put("model.base.sha256", None)),
    "a base model that is called random": ("lineage", put("model.base.weights", "random")),
    "an invented parent": ("card", recorded(invented_parent)),
    "the record of the base model": ("card", put("model.base.record_sha256", ZERO)),
    "data that allow no commercial use": (
        "license",
        recorded(non_commercial_data),
    ),
    "a license that the base model does not allow": (
        "license",
        recorded(copyleft_base),
    ),
    "the author": ("card", put("card.authors", [Author(name="Eve Example")])),
    "warnings removed": (
        "card",
        recorded(without_warnings),
    ),
    "the version of finetune": ("card", put("finetune_version", "9.9.9")),
    "the date": ("card", put("created", EARLY)),
    "the processor": ("card", put("environment.gpus", ["NVIDIA H100"])),
}
DATA: dict[str, tuple[str, Change]] = {
    "a mask": (
        "data",
        image("test/masks/disc_01.tif", without_first),
    ),
    "a training image": ("data", image("train/images/disc_03.tif", lambda pixels: pixels[::-1])),
    "an image moved to training": ("data", moved("test/{}/disc_02.tif", "train/{}/disc_77.tif")),
    "an image removed": ("data", remove_image),
    "a mask removed": ("data", lambda place: (place.data / "train/masks/disc_04.tif").unlink()),
    "an image added": ("data", duplicate),
    "a training and a test image swapped": ("data", swap_images),
    "a test image adjacent to a training image": ("leakage", adjacent_tiles),
}
SIGNATURE: dict[str, tuple[str, Change]] = {
    "a card edited under a valid signature": (
        "signature",
        signed_then(hidden(text(README, *RAISED))),
    ),
    "a weight under a valid signature": ("signature", signed_then(hidden(weight(MODEL)))),
    "a record edited under a valid signature": ("signature", signed_then(recorded(better))),
    "the signature of another model": ("signature", signature_of_another),
    "a card edited that the signature leaves out": ("signature", signed_without_card),
    "a record edited and signed again by another": ("signature", signed_by_another),
}
RECOMPUTE: dict[str, tuple[str, Change]] = {
    "one score, run again": ("accuracy", recorded(better)),
    "the test output of the package": ("weights", packaged(test_output)),
}
QUICK = {**TEXT, **FILES, **ADDED, **WEIGHTS, **PACKAGE, **RECORD, **DATA, **SIGNATURE}
"""Found without running the model."""
