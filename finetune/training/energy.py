"""Energy and CO2 of the training, measured with codecarbon if a recipe asks for it."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cards.errors import RecipeError
from finetune.recipe.schema import ComputeSection
from finetune.utils.optional import require

if TYPE_CHECKING:
    from codecarbon.output_methods.emissions_data import EmissionsData

MEASURED = ("intel_rapl", "intel_power_gadget", "windows_emi")
"""Modes of codecarbon in which the processor reports its energy; in others, codecarbon estimates it."""


def check_energy(compute: ComputeSection) -> None:
    """Check before training that the energy can be measured.

    Args:
        compute: the section `compute` of a recipe.

    Raises:
        RecipeError: if the country is missing or unknown to codecarbon.
        InputError: if codecarbon is not installed.
    """
    if not compute.energy:
        return
    if compute.country is None:
        raise RecipeError(
            "compute.energy needs compute.country, because the CO2 of electricity depends on it: "
            "a code of three letters (ISO 3166-1), such as DEU"
        )
    require("codecarbon", "energy")
    from codecarbon.input import DataSource

    if compute.country not in DataSource().get_global_energy_mix_data():
        raise RecipeError(f"compute.country: codecarbon has no data for {compute.country!r}")


class EnergyMeter:
    """Measures the energy of this computer from `start` on, without a network and without writing files."""

    def __init__(self, country: str) -> None:
        """Prepare; nothing is measured yet.

        Args:
            country: code of three letters (ISO 3166-1).
        """
        from codecarbon import OfflineEmissionsTracker

        # codecarbon logs while it is created, before it reads `log_level`.
        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        self._total: EmissionsData | None = None
        self._tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            tracking_mode="machine",  # the other mode leaves out the processes that read images
            log_level="critical",
            allow_multiple_runs=True,  # other runs on this computer
            output_handlers=[self],
            output_methods=[],
            save_to_file=False,
            save_to_api=False,
            save_to_logger=False,
            save_to_prometheus=False,
            save_to_logfire=False,
        )

    def start(self) -> None:
        """Start measuring. Detecting the hardware takes seconds."""
        self._tracker.start()

    def read(self) -> dict[str, Any] | None:
        """Read the meter.

        Returns:
            Fields of `cards.evidence.Energy`, since the start; None if nothing could be measured.
        """
        self._total = None
        self._tracker.flush()
        if self._total is None or self._total.energy_consumed <= 0:
            return None
        hardware = getattr(self._tracker, "_hardware", [])
        modes = {mode for part in hardware if (mode := getattr(part, "_mode", None))}
        note = "" if modes & set(MEASURED) else " (power of the processor estimated)"
        return {
            "kilowatt_hours": self._total.energy_consumed,
            "co2_kilograms": self._total.emissions,
            "region": self._total.country_name,
            "source": f"codecarbon {version('codecarbon')}{note}",
        }

    def stop(self) -> None:
        """Stop measuring."""
        self._tracker.stop()

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Called by codecarbon with the result of a measurement.

        Args:
            total: since the start.
            delta: since the last measurement.
        """
        self._total = total

    def live_out(self, total: EmissionsData, delta: EmissionsData) -> None:
        """Called by codecarbon every 15 seconds; not used.

        Args:
            total: since the start.
            delta: since the last measurement.
        """

    def task_out(self, data: list[Any], experiment_name: str) -> None:
        """Called by codecarbon for tasks; not used.

        Args:
            data: of each task.
            experiment_name: of the tasks.
        """

    def exit(self) -> None:
        """Called by codecarbon at the end; not used."""


def add_energy(earlier: dict[str, Any] | None, since: dict[str, Any] | None) -> dict[str, Any] | None:
    """Add the energy of several attempts of one training.

    Args:
        earlier: of the attempts before; None if one of them was not measured.
        since: of this attempt; None if it was not measured.

    Returns:
        The sum; None unless both were measured.
    """
    if earlier is None or since is None:
        return None
    if not earlier:
        return since
    summed = {key: earlier[key] + since[key] for key in ("kilowatt_hours", "co2_kilograms")}
    places = {earlier["region"], since["region"]}
    return {**since, **summed, "region": " and ".join(sorted(places))}
