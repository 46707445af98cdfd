"""Formatting of values and of missing values, the same on all cards.

Functions of a value that may be missing take None and return "not measured" or "not stated". Nothing here
reads a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from cards.base import Split

NOT_MEASURED = "not measured"
NOT_STATED = "not stated"


def stated(text: str | None) -> str:
    """Format a fact that the author or the data set states.

    Args:
        text: the fact; None or blank if missing.

    Returns:
        The text without surrounding whitespace, or "not stated".
    """
    return text.strip() if text and text.strip() else NOT_STATED


def count(value: float | None) -> str:
    """Format an integer with thousands separators.

    Args:
        value: a count; None if not measured.

    Returns:
        For example "1,234,567", or "not measured".
    """
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def counted(value: int, noun: str) -> str:
    """Format a count with its noun.

    Args:
        value: the count.
        noun: in the singular, with a regular plural.

    Returns:
        For example "1 image" or "2 images".
    """
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def score(value: float | None) -> str:
    """Format the value of a metric.

    Args:
        value: the value; None if not measured.

    Returns:
        Four decimals, e.g. "0.9312", or "not measured".
    """
    return NOT_MEASURED if value is None else f"{value:.4f}"


def mean_std(mean: float | None, std: float | None) -> str:
    """Format a mean with its standard deviation.

    Args:
        mean: the mean; None if not measured.
        std: the standard deviation; None if unknown, or of one value.

    Returns:
        Four decimals each, e.g. "0.9345 ± 0.0432"; the mean alone without a standard deviation; or "not
        measured".
    """
    return score(mean) if mean is None or std is None else f"{mean:.4f} ± {std:.4f}"


def signed(value: float) -> str:
    """Format the change of a metric.

    Args:
        value: after minus before.

    Returns:
        Sign and four decimals, e.g. "+0.0312".
    """
    return f"{value:+.4f}".replace("-", "−")


def number(value: float | None) -> str:
    """Format a setting.

    Args:
        value: the setting; None if not measured.

    Returns:
        For example "0.0003" or "1e-05".
    """
    return NOT_MEASURED if value is None else f"{value:g}"


def hardware(device: str, threads: int | None) -> str:
    """Name the hardware of a measurement.

    Args:
        device: name of the CPU or GPU.
        threads: number of threads; None if it is unknown.

    Returns:
        Such as "AMD EPYC, 2 threads".
    """
    return device + (f", {counted(threads, 'thread')}" if threads else "")


def duration(seconds: float | None) -> str:
    """Format a duration in a suitable unit.

    Args:
        seconds: the duration in s; None if not measured.

    Returns:
        For example "43.2 ms", "1.25 s", "12 min 5 s" or "2 h 3 min".
    """
    if seconds is None:
        return NOT_MEASURED
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def memory(size: int | None) -> str:
    """Format an amount of memory.

    Args:
        size: in bytes; None if not measured.

    Returns:
        For example "1.25 GiB" or "512.0 MiB".
    """
    if size is None:
        return NOT_MEASURED
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else file_size(size)


def file_size(size: int) -> str:
    """Format the size of a file.

    Args:
        size: in bytes.

    Returns:
        For example "17.3 MiB" or "12 bytes".
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return counted(size, "byte")


def mass(kilograms: float) -> str:
    """Format a mass in a suitable unit.

    Args:
        kilograms: the mass in kg.

    Returns:
        For example "4.91 g" or "1.2 kg".
    """
    return f"{kilograms:.3g} kg" if kilograms >= 0.9995 else f"{1000 * kilograms:.3g} g"


def short(digest: str) -> str:
    """Shorten a hash for comparison by eye.

    Args:
        digest: hexadecimal digits.

    Returns:
        The first twelve digits.
    """
    return digest[:12]


def splits(text: str) -> str:
    """Name splits that were made in the same way together.

    Args:
        text: how each split was made, as the record states it: "train: …; validation: …; test: …".

    Returns:
        For example "train and test: provided with the data set; validation: 10% of train, seed 0"; without
        names if all were made in the same way.
    """
    ways: dict[str, list[str]] = {}
    for part in text.split("; "):
        split, _, way = part.partition(": ")
        if split not in get_args(Split):
            return text
        ways.setdefault(way, []).append(split)
    if len(ways) == 1:
        return next(iter(ways))
    return "; ".join(f"{listed(names)}: {way}" for way, names in ways.items())


def speed(patches_per_second: float | None) -> str:
    """Format the throughput of training.

    Args:
        patches_per_second: the throughput; None if not measured.

    Returns:
        For example "1.21 patches per second".
    """
    if patches_per_second is None:
        return NOT_MEASURED
    form = ",.0f" if patches_per_second >= 100 else ".3g"
    return f"{patches_per_second:{form}} patches per second"


def times(value: int) -> str:
    """Format how often something happened.

    Args:
        value: the number of times.

    Returns:
        "no", "once" or e.g. "3 times".
    """
    return {0: "no", 1: "once"}.get(value, f"{value:,} times")


def listed(names: Sequence[str]) -> str:
    """Join names as in a sentence.

    Args:
        names: at least one.

    Returns:
        For example "a", "a and b" or "a, b and c".
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
