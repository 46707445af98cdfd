"""Which model to use, in words: the most accurate, the fastest, and the best within a time limit."""

from __future__ import annotations

from collections.abc import Sequence

from cards import formatting as words
from cards.benchmark.results import Benchmark, ModelResult

LIMITS = (0.1, 1.0)
"""Seconds per image for which the best model is named, unless the user asks for others."""


def pareto_front(results: Sequence[ModelResult]) -> list[ModelResult]:
    """Models than which no other one is both faster and more accurate.

    Args:
        results: measured models.

    Returns:
        The front, the fastest first.
    """
    front: list[ModelResult] = []
    for result in sorted(results, key=lambda result: (result.point()[0], -result.point()[1])):
        if not front or result.point()[1] > front[-1].point()[1]:
            front.append(result)
    return front


def recommend(benchmark: Benchmark, limits: Sequence[float] = LIMITS) -> list[str]:
    """Recommend models.

    Args:
        benchmark: the results.
        limits: seconds per image for which the best model is named.

    Returns:
        One sentence for each recommendation; none without measurements.
    """
    ranked = benchmark.measured()
    if not ranked:
        return []
    best = ranked[0]
    sentences = [f"Most accurate: {_describe(best)}.{_close_to(ranked)}"]
    timed = benchmark.timed()
    fastest = min(timed, key=lambda result: result.point()[0], default=best)
    if fastest is not best:
        sentences.append(f"Fastest: {_describe(fastest)}.")
    named = {id(best), id(fastest)}
    for limit in sorted(limits):
        within = [result for result in timed if result.point()[0] <= limit]
        if within and id(within[0]) not in named:
            sentences.append(
                f"Most accurate within {words.duration(limit)} per image: {_describe(within[0])}."
            )
            named.add(id(within[0]))
    return sentences


def _describe(result: ModelResult) -> str:
    tuned = f", {result.stage}" if result.stage in ("fine-tuned", "trained") else ""
    elsewhere = f" on {result.hardware}" if result.hardware else ""
    return (
        f"{result.title} ({result.repository}{tuned}), Dice {words.score(result.mean())}, "
        f"{words.duration(result.seconds())} per image{elsewhere}"
    )


def _close_to(ranked: Sequence[ModelResult]) -> str:
    """Models whose mean lies within the interval of the best one."""
    interval = ranked[0].interval
    if interval is None:
        return ""
    close = [result.title for result in ranked[1:] if result.point()[1] >= interval[0]]
    if not close:
        return ""
    return f" Its 95 % interval contains the mean of {', '.join(close)}."
