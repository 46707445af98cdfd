"""Plot of accuracy against time per image, with the Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cards.benchmark.recommendation import pareto_front
from cards.benchmark.results import Benchmark
from cards.canvas import GRAY, PALETTE, open_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 7.0, 4.2  # inches


def draw_pareto(benchmark: Benchmark, path: Path) -> None:
    """Draw mean Dice against median time per image of the models that were timed on the same hardware.

    Filled markers are on the Pareto front; quoted figures with a time are gray crosses.

    Args:
        benchmark: the results, at least one of them with a time that can be compared.
        path: output PNG.
    """
    from matplotlib.ticker import LogLocator

    measured = benchmark.timed()
    front = pareto_front(measured)
    repositories = list(dict.fromkeys(result.repository for result in benchmark.results))
    colors = {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(repositories)}
    with open_figure(path, WIDTH, HEIGHT) as figure:
        axes = figure.add_subplot()
        axes.plot(*zip(*(result.point() for result in front), strict=True), color=GRAY, zorder=1)
        for result in measured:
            color = colors[result.repository]
            face = color if result in front else "white"
            axes.scatter(*result.point(), s=40, color=face, edgecolors=color, zorder=2)
            _label(axes, result.title, result.point())
        for quoted in benchmark.quoted:
            if quoted.seconds is not None:
                axes.scatter(quoted.seconds, quoted.dice, s=30, marker="x", color=GRAY)
                _label(axes, f"{quoted.title} (quoted)", (quoted.seconds, quoted.dice), color=GRAY)
        for name, color in colors.items():
            axes.scatter([], [], color=color, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel(f"seconds per image on {benchmark.device}")
        axes.set_ylabel(f"mean Dice over {len(benchmark.images)} images")
        axes.margins(x=0.25, y=0.12)
        axes.legend(loc="best")


def _label(axes: Axes, text: str, point: tuple[float, float], color: str = "black") -> None:
    axes.annotate(text, point, xytext=(6, 4), textcoords="offset points", fontsize=8, color=color)
