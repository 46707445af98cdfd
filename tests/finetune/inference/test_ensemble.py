"""Several models as one: their maps are averaged, if they mean the same."""

from __future__ import annotations

import numpy as np
import pytest
from bright_model import Bright
from square_models import level_model

from cards.errors import ModelError
from finetune.inference.ensemble import EnsembleModel
from finetune.inference.map_models import predict_pixels
from finetune.inference.symmetries import SymmetricModel

IMAGE = np.tile(np.linspace(0, 1, 33, dtype=np.float32), (16, 1))


def test_the_maps_of_the_members_are_averaged() -> None:
    members = [level_model(0.2), level_model(0.8)]
    ensemble = EnsembleModel(members, ["a", "b"])
    expected = np.mean([predict_pixels(member, IMAGE[None]) for member in members], axis=0)
    assert np.allclose(ensemble.predict_maps(IMAGE[None]), expected)
    columns = np.flatnonzero(ensemble.predict(IMAGE)[0])
    assert columns.min() == 17  # between the levels of the members, 7 and 26


def test_an_ensemble_of_one_model_twice_predicts_as_that_model() -> None:
    model = level_model(0.4)
    assert np.array_equal(EnsembleModel([model, model], ["a", "a"]).predict(IMAGE), model.predict(IMAGE))


def test_members_may_average_over_symmetries() -> None:
    members = [SymmetricModel(level_model(level)) for level in (0.2, 0.8)]
    plain = EnsembleModel([level_model(0.2), level_model(0.8)], ["a", "b"])
    assert np.array_equal(EnsembleModel(members, ["a", "b"]).predict(IMAGE), plain.predict(IMAGE))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (level_model(0.5, "boundary"), "b: the target is boundary, that of a is foreground"),
        (level_model(0.5, channels=3), "b: the number of channels is 3, that of a is 1"),
        (Bright(), "b: predicts no maps"),
        (level_model(0.5, "queries"), "b: maps of the target queries cannot be averaged"),
    ],
)
def test_models_that_do_not_fit_are_one_line_that_says_why(other, words: str) -> None:
    with pytest.raises(ModelError) as error:
        EnsembleModel([level_model(0.5), other], ["a", "b"])
    assert words in str(error.value) and "\n" not in str(error.value)
