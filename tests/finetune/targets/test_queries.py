"""Target `queries`: matching with instances in training, and decoding to label images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cards.errors import InputError
from finetune.inference.tiling import WHOLE, predict_maps
from finetune.networks.mask2former import QueryLogits
from finetune.targets.queries import instances
from finetune.targets.registry import build_target

SURE = 8.0  # a logit


def squares() -> np.ndarray:
    labels = np.zeros((64, 64), np.int32)
    labels[4:24, 4:24], labels[4:24, 24:40], labels[40:60, 30:60] = 9, 3, 5
    return labels


def answers(labels: np.ndarray, order: list[int | None], layers: int = 2) -> QueryLogits:
    """What queries say that have found the instances of that order, or none, of one image."""
    found = [SURE if instance is not None else -SURE for instance in order]
    classes = torch.tensor([[each, -each] for each in found])
    masks = [torch.from_numpy(np.where(labels == (i or -1), SURE, -SURE)).float() for i in order]
    return QueryLogits(classes.expand(layers, 1, -1, -1), torch.stack(masks).expand(layers, 1, -1, -1, -1))


def loss(order: list[int | None], labels: np.ndarray | None = None, **given: Any) -> float:
    labels = squares() if labels is None else labels
    target = build_target("queries", {"queries": len(order)})
    maps = torch.from_numpy(target.encode(labels))[None]
    torch.manual_seed(0)
    return target.loss(answers(squares(), order, **given), maps).item()


def test_whichever_query_finds_an_object_the_loss_is_the_same() -> None:
    right = loss([9, 3, 5, None])
    assert right < 2  # points at the edges, where half a pixel is either
    assert loss([None, 5, 9, 3]) == pytest.approx(right, rel=0.1)
    assert loss([9, 3, None, None]) > right + 1  # one missed
    assert loss([9, 3, 5, 5]) > right + 0.1  # one found twice
    assert loss([9, 3, 9, None]) > right + 1  # the wrong mask


def test_every_layer_counts() -> None:
    assert loss([9, None, None], layers=4) == pytest.approx(2 * loss([9, None, None], layers=2), rel=0.05)


def test_the_loss_goes_down_to_the_queries() -> None:
    target = build_target("queries", {"queries": 5})
    generator = torch.Generator().manual_seed(1)
    classes = torch.zeros(1, 1, 5, 2, requires_grad=True)
    masks = torch.randn(
        1, 1, 5, 16, 16, generator=generator
    ).requires_grad_()  # a quarter of the image's size
    maps = torch.from_numpy(target.encode(squares()))[None]
    optimizer = torch.optim.Adam([classes, masks], lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        target.loss(QueryLogits(classes, masks), maps).backward()
        optimizer.step()
    found = classes[0, 0].softmax(-1)[:, 0]
    assert sorted(found.round().tolist()) == [0, 0, 1, 1, 1]
    large = torch.nn.functional.interpolate(masks[0].sigmoid(), size=(64, 64), mode="bilinear")
    labels = target.decode((found[:, None, None] * large[0]).detach().numpy())
    assert labels.max() == 3
    np.testing.assert_array_equal(labels[10, [10, 30]] > 0, [True, True])
    assert labels[10, 10] != labels[10, 30]


def test_more_objects_than_queries_and_none_at_all_have_a_loss() -> None:
    assert np.isfinite(loss([9]))
    assert loss([None, None], np.zeros((64, 64), np.int32)) < 0.01
    assert loss([9, 3], np.zeros((64, 64), np.int32)) > 1


def test_the_loss_is_taken_in_full_precision_under_autocast() -> None:
    target = build_target("queries", {"queries": 2})
    maps = torch.from_numpy(target.encode(squares()))[None]
    output = answers(squares(), [9, None])
    with torch.autocast("cpu", torch.bfloat16):
        value = target.loss(QueryLogits(output.classes.bfloat16(), output.masks.bfloat16()), maps)
    assert value.dtype == torch.float32


def test_an_instance_in_two_places_is_two() -> None:
    numbered = torch.zeros(8, 8)
    numbered[0:3, 0:3] = 1
    numbered[6:8, 6:8] = 1
    numbered[0:3, 3:5] = 2
    masks = instances(numbered)
    assert masks.dtype == torch.float32
    assert sorted(masks.sum(dim=(1, 2)).tolist()) == [4, 6, 9]


def test_a_pixel_goes_to_its_best_query_and_what_is_left_of_another_is_dropped() -> None:
    maps = np.zeros((4, 20, 20), np.float32)
    maps[3, 2:12, 2:12] = 0.9
    maps[1, 2:13, 2:12] = 0.7  # loses all but a row of ten pixels
    maps[0, 14:18, 14:18] = 0.6
    maps[2, 14:18, 2:6] = 0.4
    target = build_target("queries", {"queries": 4, "min_size": 11})
    labels = target.decode(maps)
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) == {0, 1, 2}
    assert np.count_nonzero(labels == labels[3, 3]) == 100
    assert not labels[12].any() and not labels[15, 3]
    assert build_target("queries", {"queries": 4, "min_size": 10}).decode(maps).max() == 3
    assert build_target("queries", {"queries": 4, "threshold": 0.3}).decode(maps).max() == 4


@pytest.mark.parametrize("min_size", [0, 10])
def test_packages_read_labels_back_as_we_do(min_size: int) -> None:
    target = build_target("queries", {"queries": 6, "threshold": 0.8, "min_size": min_size})
    maps = np.random.default_rng(2).random((2, 6, 24, 16)).astype(np.float32)
    maps[1] *= 0.5  # nothing there
    head = target.head()
    assert head is not None
    labels = head(torch.from_numpy(maps))
    assert labels.dtype == torch.int32 and labels.shape == (2, 1, 24, 16)
    for ours, theirs in zip(maps, labels, strict=True):
        np.testing.assert_array_equal(theirs[0].numpy(), target.decode(ours))


class Seen:
    """A network that notes which sizes it is shown."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(tuple(images.shape[-2:]))
        return torch.zeros(1, 3, *images.shape[-2:])


def test_images_go_through_whole_whatever_the_tile() -> None:
    network = Seen()
    target = build_target("queries", {"queries": 3})
    assert predict_maps(network, target, torch.zeros(1, 100, 130), 32, tile=64).shape == (3, 100, 130)
    assert network.sizes == [(128, 160)]


def test_an_image_too_large_to_go_through_whole_is_refused_in_words() -> None:
    network = Seen()
    with pytest.raises(
        InputError, match=rf"the image is 1 × {WHOLE**2 + 1} pixels, too large for target queries"
    ):
        predict_maps(network, build_target("queries"), torch.zeros(1, 1, 1).expand(1, 1, WHOLE**2 + 1), 32)
    assert not network.sizes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queries": 0}, "target 'queries': queries must be an integer ≥ 1, got 0"),
        ({"min_size": 2.5}, "min_size must be an integer ≥ 0, got 2.5"),
        ({"threshold": 1.5}, "threshold must be a number from 0 to 1, got 1.5"),
        ({"queries": "auto"}, "queries cannot be auto; threshold can"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        build_target("queries", options)
    assert message in str(error.value)
