"""Damaged checkpoints: training continues from an intact one and ends with the same weights."""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from discs import RECIPE, write_discs
from rich.console import Console

from cards.errors import ModelError
from finetune.pipeline.automatic import build_module, prepare
from finetune.pipeline.runner import optimizer_options
from finetune.recipe.reader import read_recipe
from finetune.training.checkpoints import AtomicCheckpointIO, forget_previous, restore
from finetune.training.history import History
from finetune.training.trainer import fit, read_finished
from finetune.utils.atomic import is_disk_full

QUIET = Console(quiet=True)


def train(recipe: Path, folder: Path) -> tuple[dict[str, torch.Tensor], History]:
    plan = prepare(read_recipe(recipe), QUIET)
    module = build_module(plan, folder, optimizer_options(plan))
    history = fit(module, plan.data, plan.recipe, folder, QUIET)
    return {name: value.clone() for name, value in module.state_dict().items()}, history


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, torch.Tensor], History]:
    """Recipe, folder, weights and history of a training that nothing disturbed."""
    work = tmp_path_factory.mktemp("trained")
    write_discs(work / "discs" / "train", 10)
    write_discs(work / "discs" / "test", 3, seed=1)
    recipe = work / "discs.yaml"
    recipe.write_text(RECIPE.replace("ROOT", str(work / "discs")))
    return recipe, work / "run", *train(recipe, work / "run")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


class Evil:
    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (Path("executed"),)


def evil(path: Path) -> None:
    """Code in place of the state."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            file.writestr(name, pickle.dumps(Evil()) if name.endswith("data.pkl") else content)


def assert_same(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_a_training_leaves_both_checkpoints_the_previous_ones_and_no_temporary_file(trained) -> None:
    checkpoints = trained[1] / "checkpoints"
    names = {path.name for path in checkpoints.iterdir()}
    assert {"best.ckpt", "finished.json", "last.ckpt", "last.previous.ckpt"} <= names
    assert names <= {"best.ckpt", "best.previous.ckpt", "finished.json", "last.ckpt", "last.previous.ckpt"}
    for path in checkpoints.glob("*.ckpt"):
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
            assert file.namelist()[0].startswith("archive/")


@pytest.mark.parametrize(
    ("names", "damage"),
    [
        (("last.ckpt",), flip),
        (("last.ckpt",), cut),
        (("last.ckpt",), empty),
        (("last.ckpt",), evil),
        (("last.ckpt",), Path.unlink),
        (("best.ckpt",), flip),
        (("best.ckpt",), Path.unlink),
        (("best.ckpt", "last.ckpt"), flip),
    ],
)
def test_damaged_checkpoints_are_replaced_and_the_result_is_the_same(
    trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], damage
) -> None:
    recipe, run, expected, history = trained
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, tmp_path / "moved")
    for name in names:
        damage(tmp_path / "moved" / "checkpoints" / name)
    messages: list[str] = []
    restore(tmp_path / "moved", messages.append)
    assert len(messages) == 1 and names[0] in messages[0]
    weights, resumed = train(recipe, tmp_path / "moved")
    assert_same(weights, expected)
    assert [epoch["loss"] for epoch in resumed.epochs] == [epoch["loss"] for epoch in history.epochs]
    assert resumed.best_epoch == history.best_epoch
    assert not (tmp_path / "executed").exists()


def test_intact_checkpoints_are_left_as_they_are_without_a_word(trained, tmp_path: Path) -> None:
    shutil.copytree(trained[1], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run" / "checkpoints").iterdir()}
    restore(tmp_path / "run", pytest.fail)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "run" / "checkpoints").iterdir()}
    restore(tmp_path / "nothing", pytest.fail)
    forget_previous(tmp_path / "run")
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["best.ckpt", "finished.json", "last.ckpt"]


def test_without_any_intact_checkpoint_one_line_says_what_to_do(trained, tmp_path: Path) -> None:
    shutil.copytree(trained[1], tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").glob("*.ckpt"):
        empty(path)
    with pytest.raises(ModelError, match=r"last\.ckpt.*damaged.*start over with --overwrite") as caught:
        restore(tmp_path / "run", pytest.fail)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [cut, empty, flip, Path.unlink, lambda path: path.write_text("{}")])
def test_a_damaged_history_is_read_from_the_last_checkpoint(trained, tmp_path: Path, damage) -> None:
    recipe, run, expected, history = trained
    shutil.copytree(run, tmp_path / "run")
    finished = tmp_path / "run" / "checkpoints" / "finished.json"
    damage(finished)
    assert read_finished(tmp_path / "run") is None
    weights, again = train(recipe, tmp_path / "run")
    assert_same(weights, expected)
    assert again.best_epoch == history.best_epoch
    assert read_finished(tmp_path / "run") is not None


def test_a_full_disk_is_an_error_of_the_disk_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(10)}, path)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # as on a disk with little room
        try:
            AtomicCheckpointIO().save_checkpoint({"weights": torch.zeros(100_000)}, path)
        except OSError as error:
            os._exit(0 if is_disk_full(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]
    assert len(torch.load(path, weights_only=True)["weights"]) == 10
