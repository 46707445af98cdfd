"""Energy is measured on request only, adds up over a resumed training, and is never guessed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from rich.console import Console
from torch.utils.data import DataLoader

from cards.errors import InputError
from cards.evidence import Energy
from finetune.pipeline.inputs import resolve_compute
from finetune.recipe.library import find_recipe
from finetune.training.energy import EnergyMeter, add_energy
from finetune.training.history import HistoryCallback


class Counter:
    """A meter that shows a watt-hour more each time it is read, like one at a wall socket."""

    def __init__(self) -> None:
        self.readings = 0

    def start(self) -> None:
        self.readings = 0

    def read(self) -> dict[str, Any]:
        self.readings += 1
        kilowatt_hours = self.readings / 1000
        return {
            "kilowatt_hours": kilowatt_hours,
            "co2_kilograms": kilowatt_hours * 0.4,
            "region": "Germany",
            "source": "counter 1.0",
        }


class Network(pl.LightningModule):
    """The smallest network that can be trained."""

    monitor, features, found_nothing = "validation_dice", None, False

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        loss = self.layer(batch).square().mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(folder: Path, epochs: int, meter: Counter | None, resume: bool = False) -> dict[str, Any] | None:
    """Train up to an epoch; returns the energy in the history."""
    recorder = HistoryCallback(Console(quiet=True), meter)  # type: ignore[arg-type]
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[recorder],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        accelerator="cpu",
    )
    checkpoint = folder / "last.ckpt"
    data = DataLoader(torch.ones(2, 1), batch_size=1)
    trainer.fit(Network(), data, ckpt_path=str(checkpoint) if resume else None, weights_only=True)
    trainer.save_checkpoint(checkpoint)
    return recorder.history.energy


def test_the_energy_of_a_resumed_training_is_the_sum_of_its_epochs(tmp_path: Path) -> None:
    train(tmp_path, 2, Counter())
    energy = train(tmp_path, 5, Counter(), resume=True)
    assert energy is not None
    assert energy["kilowatt_hours"] == pytest.approx(0.005)
    assert energy["co2_kilograms"] == pytest.approx(0.002)
    assert Energy(**energy).region == "Germany"


@pytest.mark.parametrize("measured_first", [True, False])
def test_a_training_of_which_a_part_was_not_measured_has_no_energy(
    tmp_path: Path, measured_first: bool
) -> None:
    first, second = (Counter(), None) if measured_first else (None, Counter())
    train(tmp_path, 1, first)
    assert train(tmp_path, 2, second, resume=True) is None


def test_a_meter_that_fails_leaves_the_energy_unmeasured() -> None:
    measured = Counter().read()
    assert add_energy({}, None) is None
    assert add_energy(measured, None) is None
    assert add_energy(None, measured) is None


def test_energy_needs_a_country_that_is_known() -> None:
    with pytest.raises(InputError, match=r"compute\.energy needs compute\.country"):
        resolve_compute(find_recipe("quickstart", ["compute.energy=true"]))
    with pytest.raises(InputError, match="no data for 'XXX'"):
        resolve_compute(find_recipe("quickstart", ["compute.energy=true", "compute.country=XXX"]))
    with pytest.raises(InputError, match="country"):
        find_recipe("quickstart", ["compute.energy=true", "compute.country=Germany"])


@pytest.mark.slow  # codecarbon looks for processors and GPUs for five seconds
def test_codecarbon_measures_without_a_network_files_or_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    meter = EnergyMeter("DEU")
    meter.start()
    sum(index * index for index in range(10**7))
    energy = meter.read()
    meter.stop()
    assert energy is not None and energy["source"].startswith("codecarbon ")
    assert 0 < energy["co2_kilograms"] < energy["kilowatt_hours"] < 0.1
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("codecarbon").level == logging.CRITICAL
