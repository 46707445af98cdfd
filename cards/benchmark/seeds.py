"""A row of a table of runs: one recipe, trained with one or more seeds and tested on the same images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev, stdev
from typing import Literal

from cards import statements as facts
from cards.benchmark.row_figures import Mean, Paired, Times
from cards.errors import InputError
from cards.leakage import unrelated_images
from cards.metrics import PRIMARY
from cards.record import RunRecord
from cards.scores import ImageScore

Stage = Literal["before", "after"]
"""Whether the model was measured before or after training."""

ImageKey = tuple[str, str]
"""Hashes of the pixels of an image and of its label image."""

Bootstrap = Callable[[Sequence[float]], tuple[float, float]]
"""Computes the 95 % interval of a mean over images, from one value for each image."""


def scored(record: RunRecord, stage: Stage) -> list[tuple[ImageKey, ImageScore]]:
    """Scores of the test images, in an order that depends on their pixels only.

    Args:
        record: the run.
        stage: before or after training.

    Returns:
        Pixels and score of each image; empty if accuracy was not measured.

    Raises:
        InputError: if the record scores an image that it does not list.
    """
    accuracy = record.accuracy
    measured = accuracy and (accuracy.after if stage == "after" else accuracy.before)
    if not accuracy or not measured:
        return []
    files = {file.name: file for file in record.data.files if file.split == accuracy.split}
    found = []
    for score in measured.scores:
        if (file := files.get(score.image)) is None:
            raise InputError(
                f"{record.name}: its record scores {score.image}, which is none of its {accuracy.split} "
                "images; check the run with finetune audit"
            )
        found.append(((file.image_pixels, file.label_pixels), score))
    return sorted(found, key=lambda one: (one[0], one[1].image))


@dataclass(frozen=True, eq=False)
class Row:
    """Runs of one recipe that differ in their seed only.

    Attributes:
        title: name of the recipe, with what distinguishes it from others of the same name.
        stage: before or after training.
        runs: in the order of their seeds; all were tested on the same images.
    """

    title: str
    stage: Stage
    runs: tuple[RunRecord, ...]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the training, each once."""
        return sorted({run.training.seed for run in self.runs})

    def values(self, metric: str = PRIMARY, images: Collection[int] | None = None) -> list[list[float]]:
        """Values of a metric. Runs with the same seed are averaged first.

        Args:
            metric: name of the metric.
            images: positions of the images to include, in the order of `scored`; all if None.

        Returns:
            One list for each seed with one value for each image; empty if not measured on all of them.
        """
        by_seed: dict[int, list[list[float]]] = {}
        for run in self.runs:
            scores = [score.metrics for _, score in scored(run, self.stage)]
            chosen = [score for i, score in enumerate(scores) if images is None or i in images]
            if not chosen or any(metric not in score for score in chosen):
                return []
            by_seed.setdefault(run.training.seed, []).append([score[metric] for score in chosen])
        return [[fmean(values) for values in zip(*runs, strict=True)] for _, runs in sorted(by_seed.items())]

    def mean(
        self,
        metric: str = PRIMARY,
        images: Collection[int] | None = None,
        bootstrap: Bootstrap | None = None,
    ) -> Mean | None:
        """Mean of a metric over images and seeds.

        Args:
            metric: name of the metric.
            images: positions of the images to include; all if None.
            bootstrap: computes the interval; none is computed if unset.

        Returns:
            The mean; None if it was not measured.
        """
        seeds = self.values(metric, images)
        if not seeds:
            return None
        means = [fmean(values) for values in seeds]
        each = _over_seeds(seeds)
        return Mean(
            mean=fmean(means),
            std=fmean(pstdev(values) for values in seeds) if len(each) > 1 else None,
            seed_std=stdev(means) if len(means) > 1 else None,
            interval=bootstrap(each) if bootstrap and len(each) > 1 else None,
            images=len(each),
        )

    def difference(
        self, baseline: Row, bootstrap: Bootstrap, images: Collection[int] | None = None
    ) -> Paired | None:
        """Paired difference in Dice from another row of the same table.

        Args:
            baseline: the other row.
            bootstrap: computes the interval.
            images: positions of the images to include; all if None.

        Returns:
            This row minus the baseline; None if one of them was not measured.
        """
        ours, theirs = self.values(images=images), baseline.values(images=images)
        if not ours or not theirs:
            return None
        pairs = zip(_over_seeds(ours), _over_seeds(theirs), strict=True)
        differences = [one - other for one, other in pairs]
        return Paired(fmean(differences), bootstrap(differences) if len(differences) > 1 else None)

    def unrelated(self) -> frozenset[int] | None:
        """Images that are unrelated to the training images of every run.

        Returns:
            Their positions in the order of `scored`; None if a run did not compare its images.
        """
        found: list[set[int]] = []
        for run in self.runs:
            names = unrelated_images(run)
            if names is None:
                return None
            found.append({i for i, (_, score) in enumerate(scored(run, self.stage)) if score.image in names})
        return frozenset(set.intersection(*found))

    def validation(self) -> float | None:
        """Validation Dice of the epoch whose weights were selected, averaged over runs.

        Returns:
            The mean; None if a run has no validation images, or was not validated by Dice.
        """
        selected = []
        for run in self.runs:
            dice = {epoch.epoch: epoch.validation_dice for epoch in run.training.history}
            if (value := dice.get(run.training.best_epoch or 0)) is None:
                return None
            selected.append(value)
        return fmean(selected)

    def times(self) -> list[Times]:
        """Training time and time per image on each kind of hardware.

        Returns:
            One entry for each kind of hardware; empty for the stage before training.
        """
        if self.stage == "before":
            return []
        groups: dict[str, list[RunRecord]] = {}
        for run in self.runs:
            groups.setdefault(_hardware(run), []).append(run)
        return [
            Times(
                hardware,
                fmean(run.training.seconds for run in runs),
                median(timed)
                if (timed := [run.timing.median_seconds for run in runs if run.timing])
                else None,
            )
            for hardware, runs in groups.items()
        ]


def _over_seeds(seeds: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(values) for values in zip(*seeds, strict=True)]


def _hardware(run: RunRecord) -> str:
    trained, timed = facts.trained_on(run), facts.timed_on(run)
    if run.timing is None or timed.startswith(trained):
        return trained if run.timing is None else timed
    return f"trained on {trained}, timed on {timed}"
