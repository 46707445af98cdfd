"""How figures and gaps are worded on a card: one place, so that every card words them alike.

Every function takes `None` and says that the figure is missing. Nothing here reads a record.
"""

from __future__ import annotations

NOT_MEASURED = "not measured"
NOT_STATED = "not stated"


def stated(text: str | None) -> str:
    """A fact that somebody has to state: `not stated` where nobody did."""
    return text.strip() if text and text.strip() else NOT_STATED


def count(value: float | None) -> str:
    """A whole number with its thousands apart: 1,234,567."""
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def counted(value: int, noun: str) -> str:
    """A number with its noun: 1 image, 2 images."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def score(value: float | None) -> str:
    """A score between 0 and 1, with the four decimals that all scores have: 0.9312."""
    return NOT_MEASURED if value is None else f"{value:.4f}"


def signed(value: float) -> str:
    """A change of a score: +0.0312, −0.0100."""
    return f"{value:+.4f}".replace("-", "−")


def number(value: float | None) -> str:
    """A setting, as it was set: 0.0003, 1e-05."""
    return NOT_MEASURED if value is None else f"{value:g}"


def duration(seconds: float | None) -> str:
    """Seconds in the unit a person would use: 43.2 ms, 1.25 s, 12 min 5 s, 2 h 3 min."""
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
    """Bytes of memory: 1.25 GiB, 512 MiB."""
    if size is None:
        return NOT_MEASURED
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else file_size(size)


def file_size(size: int) -> str:
    """Bytes of a file: 17.3 MiB, 4.2 KiB, 12 bytes."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return counted(size, "byte")


def short(digest: str) -> str:
    """The first twelve digits of a hash: enough to compare by eye."""
    return digest[:12]


def speed(images_per_second: float | None) -> str:
    """Images per second of training."""
    return NOT_MEASURED if images_per_second is None else f"{images_per_second:.3g} images per second"
