from __future__ import annotations

from pathlib import Path

import pytest

import finetune
from cards.errors import InputError
from finetune.recipe.library import find_recipe
from finetune.recipe.reader import read_recipe
from finetune.training.hardware import resolve_compute

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.exists(), reason="only Linux tells what its processor has")
def test_an_open_precision_is_bf16_where_the_processor_multiplies_in_it():
    recipe = resolve_compute(find_recipe("quickstart", ["compute.accelerator=cpu"]))
    multiplies = {"amx_tile", "avx512_bf16"} & set(CPUINFO.read_text().split())
    assert recipe.compute.precision == ("bf16-mixed" if multiplies else "32-true")


def test_a_precision_that_is_asked_for_is_kept():
    recipe = find_recipe("quickstart", ["compute.accelerator=cpu", "compute.precision=bf16-mixed"])
    assert resolve_compute(recipe).compute.precision == "bf16-mixed"


def test_an_unknown_precision_is_one_line(tmp_path):
    recipe = find_recipe("quickstart", ["compute.precision=12-true"])
    with pytest.raises(InputError, match=r"^compute: .*12-true") as error:
        resolve_compute(recipe)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "override", ["precision=bf17", "accelerator=gpus", "accelerator=mps", "devices=none", "strategy=dp"]
)
def test_what_lightning_cannot_do_is_said_before_it_begins(
    recipe_file: Path, tmp_path: Path, override: str
) -> None:
    with pytest.raises(InputError, match=r"^compute(\.accelerator)?: "):
        finetune.run(read_recipe(recipe_file, [f"compute.{override}"]), out=tmp_path / "run")


@pytest.mark.parametrize("name", ["SLURM_PROCID", "RANK"])
def test_a_second_process_of_a_run_in_one_process_is_refused(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(
        InputError, match=rf"^{name} is 1, but the recipe trains in one process: .*--ntasks 1"
    ):
        finetune.run(read_recipe(recipe_file), out=tmp_path / "run")
    assert not list(tmp_path.glob("run*"))
