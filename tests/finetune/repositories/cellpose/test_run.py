"""Fine-tuned weights give the same result in cellpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from tiny_cellpose import load_cyto3, same

from cards.base import Spec
from finetune.repositories.registry import LoadOptions, load, save

pytestmark = pytest.mark.usefixtures("nowhere")

RUN = """
import sys, torch
from cellpose.models import CellposeModel
model = CellposeModel(pretrained_model=sys.argv[1], **eval(sys.argv[4]))
assert model.pretrained_model == sys.argv[1]
model.net.mkldnn = False
with torch.no_grad():
    torch.save(model.net.eval()(torch.load(sys.argv[2]))[0].float(), sys.argv[3])
"""


def run_cellpose(python: str, weights: Path, folder: Path, channels: int, options: str) -> torch.Tensor:
    """Label an image on cellpose's command line; then its network's flows of the same image."""
    image = np.random.default_rng(0).integers(0, 255, (256, 256), dtype=np.uint8)
    tifffile.imwrite(folder / "image.tif", image)
    command = [python, "-m", "cellpose", "--image_path", "image.tif", "--pretrained_model", str(weights)]
    home = {"HOME": str(folder)}  # where cellpose keeps a log
    subprocess.run(
        [*command, "--diameter", "0", "--verbose"], cwd=folder, env=os.environ | home, check=True, timeout=900
    )
    assert (folder / "image_seg.npy").exists()
    log = (folder / ".cellpose" / "run.log").read_text()
    assert f"loading model {weights}" in log  # and not another one in its place
    images = torch.rand(1, channels, 256, 256)
    torch.save(images, folder / "images.pt")
    files = [str(folder / name) for name in ("images.pt", "flows.pt")]
    subprocess.run([python, "-c", RUN, str(weights), *files, options], check=True, timeout=900)
    return images


@pytest.mark.slow
def test_cellpose_3_runs_it_and_sees_the_same(tmp_path: Path) -> None:
    python = os.environ.get("FINETUNE_CELLPOSE3")
    if not python:
        pytest.skip("FINETUNE_CELLPOSE3: the Python of an environment with cellpose 3.1.1.3")
    tuned = load_cyto3(seed=7, in_channels=2)
    (path,) = save(tuned.network, tuned.architecture, tmp_path / "native")
    images = run_cellpose(python, path, tmp_path, 2, "{}")
    with torch.no_grad():
        expected = tuned.network.eval()(images)
    torch.testing.assert_close(torch.load(tmp_path / "flows.pt"), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_cellpose_4_runs_it_and_sees_the_same(tmp_path: Path) -> None:
    from cellpose.vit import CPSAM

    tuned = load("cellpose", "cpsam", LoadOptions(in_channels=3, out_channels=3, pretrained=False))
    (path,) = save(tuned.network, tuned.architecture, tmp_path / "native")
    images = run_cellpose(sys.executable, path, tmp_path, 3, "{'use_bfloat16': False}")
    with torch.no_grad():
        expected = CPSAM.forward(tuned.network.eval(), images)[0]
    torch.testing.assert_close(torch.load(tmp_path / "flows.pt"), expected, rtol=0, atol=1e-4)
    again = load("cellpose", "cpsam", LoadOptions(in_channels=3, out_channels=3, checkpoint=path))
    assert same(again.network, tuned.network)
    assert again.origin.part is None


@pytest.mark.slow
def test_a_run_from_the_encoder_alone(tmp_path: Path, recipe_file: Path) -> None:
    """What a person gets: the size measured, the card that says which part, and a file for cellpose."""
    import finetune
    from finetune.recipe.reader import read_recipe

    torch.save(load_cyto3(seed=5).network.downsample.state_dict(), tmp_path / "encoder.pth")
    overrides = ["repository=cellpose", "name=cyto3", "options={diameter: auto}", "target=flows"]
    overrides += [f"checkpoint={tmp_path / 'encoder.pth'}"]
    changes = [f"model.{override}" for override in overrides] + ["training.epochs=12"]
    record = finetune.run(read_recipe(recipe_file, changes), out=tmp_path / "run")
    diameter = record.recipe["model"]["options"]["diameter"]
    assert 10 < diameter < 18
    assert record.model.architecture.options["diameter"] == diameter
    assert record.model.normalize == Spec(name="percentile", options={"low": 1.0, "high": 99.0})
    assert record.accuracy is not None and record.accuracy.before is None
    part = "downsample (2,786,984 of 6,600,843 parameters)"
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert part in card and "CC-BY-NC" in card
    assert all(check.equal for check in record.exports)
    assert "native/cyto3_finetuned.pth" in [file.path for file in record.files]
    native = load_cyto3(tmp_path / "run/native/cyto3_finetuned.pth", options={"diameter": diameter})
    assert same(native.network, finetune.load(tmp_path / "run").network)
