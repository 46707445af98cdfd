"""Training on cached encoder features: same curve, also after a kill or with several processes."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pooled_repository
import pytest
import torch
from pooled_repository import Encoder
from rich.console import Console
from safetensors.numpy import load_file

import finetune
from cards.record import RunRecord
from finetune.pipeline.automatic import build_module, prepare
from finetune.pipeline.runner import optimizer_options
from finetune.recipe.reader import read_recipe
from finetune.training.precompute import with_frozen_encoder
from finetune.training.trainer import fit

SCRIPT = pooled_repository.__file__
CHANGES = [
    "model.repository=pooled",
    "model.name=small",
    "model.options={}",
    "model.adapt=head",
    "data.validation=0.3",
    "training.images_per_epoch=null",
    "training.views=2",
    "training.average=0.9",
]
TRAINED, VALIDATED = 7, 3  # images


def train(recipe_file: Path, folder: Path, *changes: str):
    """What a run does until it exports: the history, and how many images the encoder saw."""
    console = Console(file=io.StringIO(), width=40)  # a log has one line per message, however narrow
    plan = prepare(read_recipe(recipe_file, [*CHANGES, "training.epochs=5", *changes]), console)
    module = build_module(plan, folder, optimizer_options(plan))
    seen = Encoder.seen
    history = fit(module, plan.data, plan.recipe, folder, console)
    return history, Encoder.seen - seen, plan, console.file.getvalue()


def curve(history) -> np.ndarray:
    return np.array([(epoch["loss"], epoch["validation_dice"]) for epoch in history.epochs])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_curve_is_that_of_an_encoder_that_runs_in_every_epoch(
    tmp_path: Path, recipe_file: Path, precision: str
) -> None:
    changes = [f"compute.precision={precision}"]
    cached, once, plan, said = train(recipe_file, tmp_path / "a", *changes)
    plain, always, other, _ = train(recipe_file, tmp_path / "b", *changes, "training.cache=false")
    assert once == 2 * TRAINED + VALIDATED
    assert always == 5 * (8 + VALIDATED)  # 8: whole batches
    assert "encoding 14 patches and 3 validation images, once for all epochs" in said.splitlines()
    assert [line[-1] for line in said.splitlines() if line.startswith("epoch ")] == 5 * [")"]
    tolerance = {"32-true": 1e-3, "bf16-mixed": 5e-3}[precision]
    np.testing.assert_allclose(curve(cached)[:, 0], curve(plain)[:, 0], rtol=tolerance)
    np.testing.assert_allclose(curve(cached)[:, 1], curve(plain)[:, 1], atol=0.02)
    assert curve(cached)[-1, 0] < curve(cached)[0, 0]
    assert not (tmp_path / "a" / "features").exists()
    for name, weights in plan.model.network.state_dict().items():
        torch.testing.assert_close(weights, other.model.network.state_dict()[name], rtol=0.05, atol=0.01)


def test_checkpoints_hold_what_is_trained_and_no_frozen_encoder(tmp_path: Path, recipe_file: Path) -> None:
    _, _, plan, _ = train(recipe_file, tmp_path / "run", "training.epochs=1")
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    decoder = plan.model.network.decoder.state_dict()
    assert saved.keys() == {f"network.{name}" for name in decoder}
    for name, weights in decoder.items():
        assert torch.equal(weights, saved[f"network.{name}"])


def test_a_network_with_no_frozen_encoder_has_views_all_the_same(tmp_path: Path, recipe_file: Path) -> None:
    history, seen, _, said = train(recipe_file, tmp_path / "run", "model.adapt=full", "training.epochs=2")
    assert seen == 2 * (8 + VALIDATED)
    assert len(history.epochs) == 2
    assert "encoding" not in said


@pytest.mark.usefixtures("without_onnx")
def test_a_run_says_how_many_views_there_were(tmp_path: Path, recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file, [*CHANGES, "training.epochs=2"])
    record = finetune.run(recipe, out=tmp_path / "run", console=Console(file=io.StringIO()))
    assert record is not None
    assert record.training.augmentation.endswith("; 2 views of each image, each drawn once")
    assert (
        "2 views of each image, each drawn once"
        in (tmp_path / "run" / "huggingface" / "README.md").read_text()
    )
    assert record.exports
    assert all(check.equal for check in record.exports)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert not names & {"features", "maps"}


def test_killed_while_encoding_and_run_again(tmp_path: Path, recipe_file: Path) -> None:
    """What was encoded is not encoded again, and the result is that of a run that nobody killed."""
    folder, fork = tmp_path / "killed", multiprocessing.get_context("fork")
    process = fork.Process(target=train_slowly, args=(recipe_file, folder))
    process.start()
    wait_for_features(folder / "features", process)
    process.kill()
    process.join()
    kept = len(list((folder / "features").glob("*.safetensors")))
    assert 4 <= kept < 2 * TRAINED
    history, seen, plan, _ = train(recipe_file, folder)
    assert seen == 2 * TRAINED + VALIDATED - kept
    unbroken, _, other, _ = train(recipe_file, tmp_path / "unbroken")
    np.testing.assert_array_equal(curve(history), curve(unbroken))
    for name, values in plan.model.network.state_dict().items():
        assert torch.equal(values, other.model.network.state_dict()[name]), name
    assert not (folder / "features").exists()


def train_slowly(recipe_file: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    Encoder.delay = 0.5
    train(recipe_file, folder)


def wait_for_features(folder: Path, process) -> None:
    """Until some files are there, though not all: the encoder is slow."""
    while len(list(folder.glob("*.safetensors"))) < 4:
        alive = process.poll() is None if isinstance(process, subprocess.Popen) else process.is_alive()
        assert alive, "it ended before it was killed"
        time.sleep(0.02)


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIPT, "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "huggingface" / "model.safetensors")


def epochs(folder: Path) -> list[tuple[float, float | None]]:
    history = RunRecord.read(folder).training.history
    return [(epoch.loss, epoch.validation_dice) for epoch in history]


@pytest.mark.slow
def test_a_run_killed_while_encoding_and_again_while_training(tmp_path: Path, recipe_file: Path) -> None:
    finish(start(tmp_path, str(recipe_file), *CHANGES, "--out", "unbroken"))
    slow = {"env": {**os.environ, "POOLED_DELAY": "1"}}
    process = start(tmp_path, str(recipe_file), *CHANGES, "--out", "killed", **slow)
    features = tmp_path / "killed.partial" / "features"
    wait_for_features(features, process)
    process.kill()
    finish(process, -signal.SIGKILL)
    kept = {path.name: path.stat().st_mtime_ns for path in features.glob("*.safetensors")}
    assert 4 <= len(kept) < 2 * TRAINED
    process = start(tmp_path, "--resume", "killed")
    assert any("epoch 1/3" in line for line in process.stdout)
    process.kill()
    finish(process, -signal.SIGKILL)
    if features.exists():  # it may have been faster
        now = {path.name: path.stat().st_mtime_ns for path in features.glob("*.safetensors")}
        assert kept.items() <= now.items()
        assert len(now) == 2 * TRAINED + VALIDATED
        finish(start(tmp_path, "--resume", "killed"))
    one, two = weights(tmp_path / "unbroken"), weights(tmp_path / "killed")
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(two[name], values, err_msg=name)
    assert epochs(tmp_path / "unbroken") == epochs(tmp_path / "killed")
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.slow
def test_two_processes_share_the_encoding(tmp_path: Path, recipe_file: Path) -> None:
    changes = [*CHANGES, "training.images_per_epoch=16"]
    shared = ["compute.devices=2", "compute.strategy=ddp", "compute.accelerator=cpu"]
    finish(start(tmp_path, str(recipe_file), *changes, "--out", "alone"))
    finish(start(tmp_path, str(recipe_file), *changes, *shared, "--out", "shared"))
    one, two = weights(tmp_path / "alone"), weights(tmp_path / "shared")
    for name, values in one.items():  # as in test_training: sums in another order
        np.testing.assert_allclose(two[name], values, rtol=0, atol=1e-3, err_msg=name)
    assert not list(tmp_path.glob("*.partial"))


def test_a_disk_with_no_room_for_features(command, tmp_path: Path, recipe_file: Path) -> None:
    arguments = ("run", recipe_file, *CHANGES)
    done = command(*arguments, program="pooled_repository", largest_file=8192)  # less than one patch
    assert done.returncode == 2
    assert "cannot keep features: File too large; lower training.views" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_only_a_frozen_encoder_is_run_in_advance() -> None:
    network = pooled_repository.network()
    assert with_frozen_encoder(network) is None
    network.encoder.requires_grad_(False)
    assert with_frozen_encoder(network) is network
    assert with_frozen_encoder(network.decoder) is None


def test_on_a_cpu_features_are_read_without_another_process(tmp_path: Path, recipe_file: Path):
    plan = train(recipe_file, tmp_path, "training.workers=2")[2]
    assert plan.data.train_dataloader().num_workers == (2 if torch.cuda.is_available() else 0)
    assert plan.data.val_dataloader().num_workers == 2
