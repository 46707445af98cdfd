"""Scores of unlabeled images: interrupted, continued, and compared with the training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from examples import full
from spots_model import spots_image, spots_model, write_spots

from cards.image_statistics import ImageStatistics
from cards.record import RunRecord
from finetune.data.statistics import measure_image, summarize
from finetune.pipeline.suggestion_scores import JOURNAL, CandidateScore, score_images
from finetune.pipeline.suggestions import Suggestions, relative_names


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Three small images; the last is much darker."""
    paths = [write_spots(tmp_path / f"spots{number}.tif", 80, 90 + number) for number in range(2)]
    dark = tmp_path / "dark.tif"
    tifffile.imwrite(dark, spots_image(80, 90, seed=5) // 5)
    return [*paths, dark]


def statistics(images: list[Path]) -> ImageStatistics:
    model = spots_model()
    pixels = [tifffile.imread(path)[None] for path in images]
    found = summarize(
        [measure_image(one, path, model.predict(one)) for one, path in zip(pixels, images, strict=True)]
    )
    assert found
    return found


def record_of(images: list[Path]) -> RunRecord:
    record = full()
    return record.model_copy(
        update={"data": record.data.model_copy(update={"statistics": statistics(images)})}
    )


def test_an_image_unlike_the_training_images_comes_first(images: list[Path], tmp_path: Path) -> None:
    job = Suggestions(spots_model(), "spots", record_of(images[:2]), images, tmp_path / "out", 3)
    list(job.run())
    assert job.rows[0].name == "dark.tif" and job.rows[0].score.distance > 1
    assert all(row.score.distance < 0.001 for row in job.rows[1:])
    assert 0.5 <= job.rows[0].score.value <= 1 and not job.notes()


def test_an_interrupted_search_continues(images: list[Path], tmp_path: Path) -> None:
    class Counted:
        """Counts predictions."""

        def __init__(self) -> None:
            self.inner, self.count = spots_model(), 0
            self.channels, self.network, self.config = 1, self.inner.network, self.inner.config

        def predict(self, image: np.ndarray) -> np.ndarray:
            self.count += 1
            return self.inner.predict(image)

    def scores(model: Counted, out: Path) -> dict[Path, CandidateScore]:
        return dict(score_images(model, None, images, out))

    expected = scores(Counted(), tmp_path / "whole")
    out = tmp_path / "out"
    begun = score_images(Counted(), None, images, out)
    next(begun), next(begun)
    begun.close()
    with (out / JOURNAL).open("a") as file:
        file.write('\n{"name": "unfinis')
    model = Counted()
    assert scores(model, out) == expected and model.count == 8
    tifffile.imwrite(images[0], spots_image(80, 90, seed=9))  # changed since
    model = Counted()
    assert scores(model, out) != expected and model.count == 8


def test_names_from_several_folders_differ(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "x.tif", tmp_path / "b" / "x.tif"
    assert relative_names([first, second]) == {first: "a/x.tif", second: "b/x.tif"}
    assert relative_names([first]) == {first: "x.tif"}


@pytest.mark.parametrize(
    ("disagreement", "distance", "value"),
    [(0.2, 0.0, 0.1), (0.2, 0.6, 0.4), (0.2, 7.0, 0.6), (0.2, None, 0.2), (None, None, None)],
)
def test_the_score_is_the_mean_of_both(
    disagreement: float | None, distance: float | None, value: float | None
) -> None:
    score = CandidateScore(disagreement=disagreement, distance=distance).value
    assert score == (None if value is None else pytest.approx(value))
