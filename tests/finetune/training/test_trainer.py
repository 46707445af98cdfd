"""Stopping, resuming and distributed training, with real processes and signals."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from discs import write_data, write_recipe
from rich.console import Console
from safetensors.numpy import load_file
from torch.optim.swa_utils import AveragedModel

from cards.record import RunRecord
from finetune.pipeline.automatic import build_module, prepare
from finetune.pipeline.runner import optimizer_options
from finetune.recipe.reader import read_recipe
from finetune.training.trainer import exponential_moving_average, fit

WEIGHTS = "huggingface/model.safetensors"


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "finetune.cli", "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read what the process says until it says the words."""
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"the run ended without saying '{words}'")


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run which nobody disturbs, made once for the tests that compare others with it."""
    folder = tmp_path_factory.mktemp("unbroken")
    recipe = write_recipe(folder / "discs.yaml", write_data(folder / "discs"))
    finish(start(folder, str(recipe), "--out", "unbroken", "data.validation=0.3"))
    return folder / "unbroken"


def assert_same(weights: dict[str, np.ndarray], expected: dict[str, np.ndarray], atol: float = 0.0) -> None:
    assert weights.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(weights[name], values, rtol=0, atol=atol, err_msg=name)


def without_times(record: RunRecord) -> list[object]:
    return [epoch.model_copy(update={"seconds": None}) for epoch in record.training.history]


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_is_evaluated_and_exported(tmp_path: Path, recipe_file: Path) -> None:
    process = start(tmp_path, str(recipe_file), "--out", "run", "training.epochs=500")
    wait_for(process, "epoch 2/500")
    asked = subprocess.run([sys.executable, "-m", "finetune.cli", "stop", "run"], cwd=tmp_path)
    assert asked.returncode == 0
    finish(process)
    training = RunRecord.read(tmp_path / "run").training
    assert training.stopped_by_user and 2 < training.epochs < 500
    card = (tmp_path / "run" / "huggingface" / "README.md").read_text()
    assert f"{training.epochs} of 500 planned, stopped by the user" in card
    assert not [path for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(
    tmp_path: Path, recipe_file: Path, unbroken: Path
) -> None:
    # Once when an epoch is over and saved, once more after training, while exporting.
    process = start(tmp_path, str(recipe_file), "--out", "killed", "data.validation=0.3")
    wait_for(process, "epoch 2/3")
    process.kill()
    finish(process, -signal.SIGKILL)
    assert not (tmp_path / "killed").exists()
    process = start(tmp_path, "--resume", "killed")
    wait_for(process, "exporting")
    process.kill()
    finish(process, -signal.SIGKILL)
    finish(start(tmp_path, "--resume", "killed"))
    assert_same(load_file(tmp_path / "killed" / WEIGHTS), load_file(unbroken / WEIGHTS))
    record = RunRecord.read(tmp_path / "killed")
    assert record.training.resumed == 1
    assert [epoch.epoch for epoch in record.training.history] == [1, 2, 3]
    assert without_times(record) == without_times(RunRecord.read(unbroken))
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path, recipe_file: Path, unbroken: Path) -> None:
    seconds = time.perf_counter()
    finish(start(tmp_path, str(recipe_file), "--out", "timed"))
    seconds = time.perf_counter() - seconds
    for moment in np.random.default_rng(0).uniform(0.2, 1, 12) * seconds:
        out = f"killed_{moment:.2f}"
        process = start(tmp_path, str(recipe_file), "--out", out, "data.validation=0.3")
        time.sleep(moment)
        process.kill()
        process.communicate()
        partial = tmp_path / f"{out}.partial"
        if (tmp_path / out).exists():
            pass  # it was faster this time
        elif (partial / "recipe.yaml").exists():
            finish(start(tmp_path, "--resume", out))
        else:
            finish(start(tmp_path, str(recipe_file), "--out", out, "data.validation=0.3"))
        assert_same(load_file(tmp_path / out / WEIGHTS), load_file(unbroken / WEIGHTS))


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path: Path, recipe_file: Path, unbroken: Path) -> None:
    shared = ["data.validation=0.3", "compute.devices=2", "compute.strategy=ddp", "compute.accelerator=cpu"]
    finish(start(tmp_path, str(recipe_file), *shared, "--out", "shared"))
    # Sums in another order round otherwise, and Adam divides by small numbers: up to 1.2e-4 was seen.
    assert_same(load_file(tmp_path / "shared" / WEIGHTS), load_file(unbroken / WEIGHTS), atol=1e-3)
    one, two = (RunRecord.read(folder) for folder in (unbroken, tmp_path / "shared"))
    for mine, theirs in zip(one.training.history, two.training.history, strict=True):
        assert mine.loss == pytest.approx(theirs.loss, abs=1e-4)
        assert mine.validation_dice == pytest.approx(theirs.validation_dice, abs=1e-3)
    assert not list(tmp_path.glob("*.partial"))


def test_ctrl_c_keeps_what_was_trained_and_says_how_to_go_on(tmp_path: Path, recipe_file: Path) -> None:
    process = start(tmp_path, str(recipe_file), "training.epochs=500", start_new_session=True)
    wait_for(process, "epoch 2/500")
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
    output = finish(process, 130)
    assert "finetune run --resume runs/discs" in output
    assert "Traceback" not in output
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["discs.partial"]


def test_a_full_disk(command, tmp_path: Path, recipe_file: Path) -> None:
    done = command("run", recipe_file, largest_file=100_000)  # too little for the first checkpoint
    assert done.returncode == 2
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_batch_normalization_knows_the_weights_that_are_kept(tmp_path: Path, recipe_file: Path) -> None:
    """Its statistics are not averaged like the weights: what they began with would stay in them for long."""
    changes = ["model.repository=torchvision", "model.name=lraspp_mobilenet_v3_large", "model.options={}"]
    changes += ["model.pretrained=false", "data.validation=0", "training.average=0.99"]
    plan = prepare(read_recipe(recipe_file, changes), Console(quiet=True))
    module = build_module(plan, tmp_path, optimizer_options(plan))
    fit(module, plan.data, plan.recipe, tmp_path, Console(quiet=True))
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["current_model_state"]
    kept = module.state_dict()
    statistics = [name for name in kept if "running_" in name]
    assert statistics and all(torch.equal(kept[name], last[name]) for name in statistics)
    assert any(not torch.equal(kept[name], last[name]) for name in kept if name not in statistics)


def test_training_leaves_no_optimizer_and_no_gradients_in_memory(recipe_file: Path, tmp_path: Path) -> None:
    def optimizers() -> int:
        return sum(isinstance(one, torch.optim.Optimizer) for one in gc.get_objects())

    gc.collect()
    before = optimizers()
    plan = prepare(read_recipe(recipe_file, ["training.average=0.99"]), Console(quiet=True))
    module = build_module(plan, tmp_path, optimizer_options(plan))
    fit(module, plan.data, plan.recipe, tmp_path, Console(quiet=True))
    assert optimizers() == before
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("decay", [0.9, 0.98, 0.999])
def test_averaging_keeps_frozen_weights_bit_for_bit(decay: float) -> None:
    torch.manual_seed(0)
    network = torch.nn.Linear(300, 300)
    averaged = AveragedModel(network, multi_avg_fn=exponential_moving_average(decay))
    averaged.update_parameters(network)  # the first update copies
    network.bias.requires_grad_(False)
    for _ in range(50):
        with torch.no_grad():
            network.weight += 0.01
        averaged.update_parameters(network)
    assert torch.equal(averaged.module.bias, network.bias)
    assert (averaged.module.weight < network.weight).all()
