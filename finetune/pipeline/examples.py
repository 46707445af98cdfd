"""Example images of the card: test images with the best, median and worst Dice."""

from __future__ import annotations

from pathlib import Path

from cards import figures
from cards.metrics import PRIMARY
from cards.record import RunRecord
from cards.scores import ImageScore
from finetune.data.datamodule import SegmentationData
from finetune.data.reader import Sample
from finetune.inference.model import Model


def draw_examples(model: Model, data: SegmentationData, record: RunRecord, folder: Path) -> None:
    """Draw the histogram of Dice, and image, reference and prediction of up to three test images.

    Args:
        model: the trained model.
        data: the images.
        record: the record with the scores of the test images; without them nothing is drawn.
        folder: where the figures are written.
    """
    accuracy = record.accuracy
    if accuracy is None:
        return
    figures.histogram(accuracy.after, accuracy.before, folder / "histogram.png")
    by_name = {pair.name: pair for pair in data.of("test")}
    for rank, scored in _examples(accuracy.after.scores).items():
        sample: Sample = data.reader(by_name[scored.image])
        figures.overlay(
            sample.pixels,
            sample.labels,
            model.target.decode(model.predict_maps(model.prepare(sample.pixels))),
            folder / f"example_{rank}.png",
            title=f"{rank}: {_short(scored.image)}, Dice {scored.metrics[PRIMARY]:.4f}",
            filled=model.target.labels == "boundary",
        )


def _short(name: str) -> str:
    """An image name shortened to fit above a figure; the card's table has it in full."""
    return name if len(name) <= 24 else f"{name[:12]}…{name[-11:]}"


def _examples(scores: list[ImageScore]) -> dict[str, ImageScore]:
    """The images with the best, median and worst Dice; fewer than three images give fewer."""
    ranked = sorted(scores, key=lambda score: (-score.metrics[PRIMARY], score.image))
    positions = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    if len(ranked) == 2:
        del positions["median"]
    examples = {rank: ranked[position] for rank, position in positions.items()}
    return {
        rank: score for rank, score in examples.items() if rank == "best" or score is not examples["best"]
    }
