import io

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from cards.errors import InputError
from finetune.data.normalization import build_normalize
from finetune.data.reader import Sample
from finetune.evaluation.plausibility import (
    compare_counts,
    decode_plausible,
    instance_limit,
    warn_about_instances,
)
from finetune.evaluation.thresholds import auto_options, select_options
from finetune.inference.model import Model
from finetune.pipeline.automatic import build_module, prepare
from finetune.pipeline.runner import optimizer_options
from finetune.recipe.reader import read_recipe
from finetune.targets.registry import build_target, tentative_target

SQUARES = np.zeros((64, 64), np.int32)
SQUARES[8:24, 8:24], SQUARES[36:56, 30:52] = 1, 2


class Shy(nn.Module):
    """Knows the squares, but gives them a probability of 0.45 at their middles: below the default."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        maps = build_target("rays", {"rays": 8}).encode(SQUARES)
        maps[0] = np.where(SQUARES > 0, 0.35 + 0.1 * maps[0], 0.01)
        self.register_buffer("maps", torch.from_numpy(maps))

    def forward(self, images):
        return torch.cat([self.maps[:1].logit(), self.maps[1:]])[None]


def shy_model() -> Model:
    target = build_target("rays", {"rays": 8, "prob_threshold": "auto", "nms_threshold": "auto"})
    return Model(Shy(), target, build_normalize({"name": "scale_linear"}), "auto", 1, 1, {})


def samples():
    return [Sample("squares", np.zeros((1, 64, 64), np.float32), SQUARES)]


def test_finds_the_threshold_at_which_a_shy_model_finds_what_is_there():
    model = shy_model()
    image = samples()[0].pixels
    assert model.predict(image).max() == 0
    model.target = select_options(model, ["prob_threshold"], samples())
    assert model.predict(image).max() == 2
    # 0.3 finds them, too; 0.4 is nearer to the default
    assert model.target.options()["prob_threshold"] == 0.4
    assert model.target.options()["rays"] == 8


def test_of_values_that_serve_equally_the_default_is_kept():
    model = shy_model()
    chosen = select_options(model, ["nms_threshold", "prob_threshold"], samples())
    assert chosen.options()["nms_threshold"] == 0.4


def test_tells_which_options_are_left_open():
    assert auto_options("flows", {"min_size": 5, "flow_threshold": "auto"}) == ["flow_threshold"]
    assert auto_options("flows", {}) == []


@pytest.mark.parametrize(
    ("target", "options", "auto", "expected"),
    [
        ("flows", {}, ["flow_threshold", "cellprob_threshold"], {"flow_threshold": 0.0}),
        ("flows", {"flow_threshold": 0.7, "min_size": 5}, ["cellprob_threshold"], {}),
        ("rays", {"foreground": True, "rays": 8}, ["outline_threshold"], {"outline_threshold": 0.5}),
        ("rays", {"foreground": True, "outline_threshold": 0.4}, ["prob_threshold"], {}),
        ("rays", {"rays": 8}, ["outline_threshold"], {}),
        ("foreground", {}, ["threshold"], {}),
    ],
)
def test_epochs_are_compared_by_tentative_values_of_what_is_selected_later(target, options, auto, expected):
    built = build_target(target, options)
    before = built.options()
    assert tentative_target(built, auto).options() == before | expected
    assert built.options() == before


def test_validation_in_training_uses_the_tentative_values(recipe_file, tmp_path):
    changes = ["model.target=flows", "model.target_options={flow_threshold: auto, cellprob_threshold: 1}"]
    plan = prepare(read_recipe(recipe_file, changes), Console(file=io.StringIO()))
    module = build_module(plan, tmp_path, optimizer_options(plan))
    assert plan.model.target.options()["flow_threshold"] == 0.4  # before and after training it is Cellpose's
    assert module.target.options() == plan.model.target.options() | {"flow_threshold": 0}


@pytest.mark.parametrize(
    ("target", "option", "can"),
    [
        ("rays", "grid", "prob_threshold, nms_threshold, outline_threshold can"),
        ("flows", "min_size", "flow_threshold can"),
    ],
)
def test_what_is_learned_cannot_be_left_open(target, option, can):
    with pytest.raises(InputError, match=f"{option} cannot be auto; .*{can}"):
        build_target(target, {option: "auto"})


class Eager(Shy):
    """Proposes a tiny object in every pixel, as a model that has barely been trained."""

    def __init__(self):
        super().__init__()
        self.maps[0] = 0.55
        self.maps[1:] = 0.3


class Small(Shy):
    """Polygons that are too small, with a probability that ends where the squares do."""

    def __init__(self):
        super().__init__()
        maps = build_target("rays", {"rays": 8}).encode(SQUARES)
        maps[1:] *= 0.8
        self.maps = torch.from_numpy(maps)


def test_outlines_are_selected_together_with_the_thresholds_of_polygons():
    model = shy_model()
    model.network = Small()
    names = ["nms_threshold", "outline_threshold", "prob_threshold"]
    chosen = select_options(model, names, samples())
    assert chosen.options()["outline_threshold"] > 0
    maps = model.predict_maps(model.prepare(samples()[0].pixels))

    def dice(target):
        found = target.decode(maps) > 0
        return 2 * np.count_nonzero(found & (SQUARES > 0)) / (found.sum() + (SQUARES > 0).sum())

    others = [build_target("rays", {"rays": 8, "outline_threshold": value}) for value in (0, 0.07, 0.1, 0.13)]
    assert dice(chosen) == max(map(dice, others))


class Halos(nn.Module):
    """Sees a halo of 3 pixels at two sides of 9 squares, 2 of which are as dim as the halos."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.squares, wide = np.zeros((2, 64, 64), np.int32)
        for number, (y, x) in enumerate(np.ndindex(3, 3)):
            self.squares[20 * y + 2 :, 20 * x + 2 :][:10, :10] = number + 1
            wide[20 * y + 2 :, 20 * x + 2 :][:13, :13] = number + 1
        maps = build_target("flows", {}).encode(wide)
        maps[2] = np.select([(self.squares > 0) & (self.squares < 8), wide > 0], [3, 0.5], -5)
        self.register_buffer("maps", torch.from_numpy(maps))

    def forward(self, images):
        return self.maps[None]


def test_exact_outlines_count_more_than_a_few_dim_instances():
    target = build_target("flows", {"cellprob_threshold": "auto", "flow_threshold": 0})
    model = Model(network := Halos(), target, build_normalize({"name": "scale_linear"}), "auto", 1, 1, {})
    image = Sample("squares", np.zeros((1, 64, 64), np.float32), network.squares)
    assert model.predict(image.pixels).max() == 9  # all of them, and two thirds too large
    model.target = select_options(model, ["cellprob_threshold"], [image])
    found = model.predict(image.pixels)
    assert np.array_equal(found > 0, (network.squares > 0) & (network.squares < 8))


def test_thresholds_that_give_thousands_of_objects_are_not_selected():
    model = shy_model()
    model.network = Eager()
    lines: list[str] = []
    model.target = select_options(model, ["prob_threshold", "nms_threshold"], samples(), lines.append)
    # Thousands of tiny objects have a higher Dice than none.
    assert model.target.options()["prob_threshold"] > 0.55
    assert not lines


def test_the_default_is_kept_with_a_warning_if_every_threshold_gives_nonsense():
    model = shy_model()
    model.network = Eager()
    model.network.maps[0] = 0.9
    lines: list[str] = []
    chosen = select_options(model, ["prob_threshold", "nms_threshold"], samples(), lines.append)
    assert chosen.options()["prob_threshold"] == 0.5
    (line,) = lines
    assert "the default is kept" in line and "train longer" in line


def test_nonsense_in_a_large_image_is_noticed_in_its_center():
    class Counting(type(shy_model().target)):
        shapes: list[tuple[int, ...]] = []

        def decode(self, maps):
            self.shapes.append(maps.shape[1:])
            return super().decode(maps)

    target = Counting(shy_model().target.settings)
    maps = np.full((9, 600, 700), 0.3, np.float32)
    maps[0] = 0.9
    assert decode_plausible(target, maps, instance_limit(20)) is None
    assert target.shapes == [(128, 128)]


def test_no_far_too_many_or_too_small_objects_are_reported_with_numbers():
    reference = Sample("squares", np.zeros((1, 64, 64), np.float32), SQUARES)
    target = build_target("rays", {"rays": 8})
    many = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    (too_many, fragments) = warn_about_instances([compare_counts(many, reference, target)])
    assert "4,095 instances per test image, the reference has 2" in too_many
    assert "median area is 1 pixels" in fragments
    assert warn_about_instances([compare_counts(SQUARES, reference, target)]) == []
    nothing = np.zeros_like(SQUARES)
    (empty,) = warn_about_instances([compare_counts(nothing, reference, target)])
    assert "no instance in any test image, the reference has 2" in empty
    split = np.where(SQUARES > 0, SQUARES * 2 + (np.arange(64) % 32 > 16), 0)  # some cells in two
    assert warn_about_instances([compare_counts(split, reference, target)]) == []
