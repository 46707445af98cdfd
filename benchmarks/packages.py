"""Make a small run of every kind of model, and test its BioImage.IO package as `finetune test-package` does.

    python benchmarks/packages.py [KIND ...]

Each run starts from random weights and learns discs for one epoch (CPnet: ten). Each package is tested in
both environments of `finetune test-package`, in all its weights formats. Prints a table and how many tests
passed. Words select the kinds whose name contains one of them. Exit code 1 if a run or a test fails.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from rich.console import Console
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from discs import RECIPE, write_discs  # noqa: E402
from foreign import make_package  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tiny_transformers import MASK2FORMER, SEGFORMER  # noqa: E402

import finetune  # noqa: E402
from cards.errors import InputError  # noqa: E402
from cards.record import RunRecord  # noqa: E402
from finetune.export.environments import ENVIRONMENTS  # noqa: E402
from finetune.export.package_test import check_package  # noqa: E402
from finetune.recipe.reader import read_recipe  # noqa: E402
from finetune.repositories.registry import LoadOptions, load  # noqa: E402

UNET = {"width": 8, "depth": 2}
# Low thresholds, because a package needs a test output with objects, which so short a training hardly gives.
FLOWS = {"cellprob_threshold": -1.0, "flow_threshold": 0.0, "min_size": 1}
LARGE = ["training.patch=64", "training.images_per_epoch=4", "training.batch_size=2"]


def model(repository: str, name: str, target: str, **more: Any) -> list[str]:
    """Changes of the recipe that choose a model."""
    given = {"repository": repository, "name": name, "target": target, "options": {}} | more
    return [
        f"model.{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in given.items()
    ]


KINDS: dict[str, list[str]] = {
    "U-Net, foreground": ["model.target=foreground"],
    "U-Net, foreground_boundary": [],
    "U-Net, boundary": ["model.target=boundary"],
    "U-Net with LoRA": ["model.checkpoint=base", "model.adapt=lora"],
    "CPnet (cyto3), flows": [
        *model("cellpose", "cyto3", "flows", pretrained=False, target_options=FLOWS),
        "training.epochs=10",
    ],
    "StarDist U-Net, rays": model(
        "stardist",
        "unet",
        "rays",
        options={"grid": 2, "width": 8, "depth": 2},
        target_options={"rays": 16, "grid": 2, "prob_threshold": 0.1},
    ),
    "SAM 2 Hiera, flows": [
        *model("sam2", "sam2.1-hiera-tiny", "flows", pretrained=False, target_options=FLOWS),
        *LARGE,
    ],
    "SegFormer, foreground": [
        *model(
            "huggingface", "somebody/model", "foreground", pretrained=False, options={"config": SEGFORMER}
        ),
        *LARGE,
    ],
    "Mask2Former, queries": [
        *model(
            "huggingface",
            "somebody/model",
            "queries",
            pretrained=False,
            options={"config": MASK2FORMER},
            target_options={"queries": 10, "threshold": 0.05},
        ),
        *LARGE,
    ],
    "torchvision LR-ASPP, foreground": [
        *model("torchvision", "lraspp_mobilenet_v3_large", "foreground", pretrained=False),
        *LARGE,
    ],
    "package of another tool": model("bioimageio", "tiny-fish", "foreground", checkpoint="foreign/package"),
}


def make_starts(folder: Path) -> None:
    """Write images, weights that LoRA starts from, and a package as another tool writes it."""
    write_discs(folder / "discs" / "train", 6)
    write_discs(folder / "discs" / "test", 3, seed=1)
    (folder / "discs.yaml").write_text(RECIPE.replace("ROOT", str(folder / "discs")))
    loaded = load("wipp", "unet", LoadOptions(in_channels=1, out_channels=2, options=UNET, seed=5))
    (folder / "base").mkdir()
    save_file(loaded.network.state_dict(), folder / "base" / "model.safetensors")
    config = {"architecture": loaded.architecture.model_dump()}
    (folder / "base" / "config.json").write_text(json.dumps(config))
    (folder / "foreign").mkdir()
    make_package(folder / "foreign", traced=True, id="tiny-fish", version="1.2.0")


def make_run(folder: Path, number: int, changes: list[str]) -> Path:
    """Make a run; returns its package."""
    here = [change.replace("checkpoint=", f"checkpoint={folder}/") for change in changes]
    recipe = read_recipe(folder / "discs.yaml", ["training.epochs=1", *here])
    run = folder / f"run{number}"
    finetune.run(recipe, out=run, console=Console(file=io.StringIO()))
    packages = list((run / "bioimageio").glob("*.zip"))
    if not packages:
        raise InputError("; ".join(RunRecord.read(run).warnings))
    return packages[0]


def formats(package: Path) -> str:
    """The weights formats of a package, and the version of its description."""
    with zipfile.ZipFile(package) as archive:
        description = YAML(typ="safe").load(archive.read("rdf.yaml"))
    names = ", ".join(sorted(description["weights"]))
    return f"{names} (format {description['format_version']})"


def main(words: list[str]) -> int:
    """Test the chosen kinds; returns the exit code."""
    passed = total = 0
    print("| kind | environment | weights formats | outcome |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_starts(folder)
        for number, (kind, changes) in enumerate(KINDS.items()):
            if words and not any(word.lower() in kind.lower() for word in words):
                continue
            total += len(ENVIRONMENTS)
            try:
                package = make_run(folder, number, changes)
            except InputError as error:
                print(f"| {kind} | – | – | no package: {error} |", flush=True)
                continue
            for environment in ENVIRONMENTS:
                check = check_package(package, environment)
                passed += check.passed
                outcome = "passed" if check.passed else f"failed: {check.detail}"
                print(f"| {kind} | {environment} | {formats(package)} | {outcome} |", flush=True)
    print(f"\npassed {passed} of {total}")
    return 0 if total and passed == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
