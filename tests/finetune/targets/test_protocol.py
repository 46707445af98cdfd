"""What every target must keep. A new target in TARGETS is tested here without a further line.

Two small targets with directions show that the tests would find out one that forgets them.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from directed_targets import Directions, Distances, nearest

from cards.base import Spec
from cards.errors import InputError
from finetune.networks.mask2former import QueryLogits
from finetune.targets.base import Decoding, LabelEncoding, PackageForm
from finetune.targets.prompt_options import build_prompts
from finetune.targets.registry import TARGETS, Target, build_target, register_target, target_option_errors

ENCODED = {"queries": 1}  # maps that `encode` gives, where they are not one a channel
SYMMETRIES = [(rotations, flip) for rotations in range(4) for flip in (False, True)]


MAKERS: dict[str, Any] = {**TARGETS, "directions": Directions, "distances": Distances}


@pytest.fixture(params=MAKERS)
def target(request: pytest.FixtureRequest) -> Target:
    return MAKERS[request.param]()


def lopsided() -> np.ndarray:
    """Labels (24, 36) without any symmetry: instances that touch each other and the image's edge."""
    labels = np.zeros((24, 36), np.int32)
    labels[0:9, 3:12] = 4
    labels[9:15, 5:16] = 2
    labels[5:18, 20:24] = 7
    labels[5:9, 24:32] = 7
    labels[20:24, 30:36] = 1
    return labels


def as_the_target_wants(target: Target, labels: np.ndarray) -> np.ndarray:
    return labels if target.labels == "instances" else (labels > 0).astype(np.int32)


def in_training(target: Target, output: torch.Tensor) -> Any:
    """What a network of this target gives while it trains, of so many numbers."""
    if target.name != "queries":
        return output
    masks = output.repeat(1, 5, 1, 1) * torch.arange(1, 6)[:, None, None]
    classes = masks[..., 0, :2]
    return QueryLogits(torch.stack([classes, -classes]), torch.stack([masks, -masks]))


def assert_orients_exactly(target: Target, labels: np.ndarray, rotations: int, flip: bool) -> None:
    """Turning and mirroring maps is the same as encoding turned and mirrored labels."""
    turned = np.rot90(labels, rotations)
    turned = turned[:, ::-1] if flip else turned
    expected = target.encode(turned)
    oriented = target.orient(target.encode(labels), rotations, flip)
    # Vectors are computed anew in the turned image, so they may differ in the last digits of float32.
    np.testing.assert_allclose(oriented, expected, rtol=1e-6, atol=1e-6)
    torch.from_numpy(np.ascontiguousarray(oriented))


def test_orienting_maps_is_encoding_oriented_labels(target: Target) -> None:
    for rotations, flip in SYMMETRIES:
        assert_orients_exactly(target, as_the_target_wants(target, lopsided()), rotations, flip)


def test_a_target_that_forgets_its_directions_is_found_out() -> None:
    class Forgetful(Directions):
        def orient(self, maps: np.ndarray, rotations: int, flip: bool) -> np.ndarray:
            maps = np.rot90(maps, rotations, axes=(1, 2))
            return maps[..., ::-1] if flip else maps

    for rotations, flip in SYMMETRIES[1:]:
        with pytest.raises(AssertionError):
            assert_orients_exactly(Forgetful(), lopsided(), rotations, flip)


def test_has_every_member_with_the_protocol_s_arguments(target: Target) -> None:
    assert isinstance(target, Target)
    for name, method in inspect.getmembers(Target, inspect.isfunction):
        if not name.startswith("_"):
            expected = list(inspect.signature(method).parameters)[1:]
            assert list(inspect.signature(getattr(target, name)).parameters) == expected, name


def test_maps_and_labels_have_the_promised_form(target: Target) -> None:
    labels = as_the_target_wants(target, lopsided())
    maps = target.encode(labels)
    assert maps.shape == (ENCODED.get(target.name, target.channels), *labels.shape)
    assert maps.dtype == np.float32
    decoded = target.decode(maps)
    assert decoded.shape == labels.shape
    assert decoded.dtype == np.int32
    for dtype in (np.uint8, np.uint16, np.int64):
        np.testing.assert_array_equal(target.encode(labels.astype(dtype)), maps)


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - ENCODED.keys()))
def test_instances_that_do_not_touch_come_back(name: str) -> None:
    target = build_target(name)
    y, x = np.mgrid[:48, :72]
    labels = np.zeros((48, 72), np.int32)
    for number, (top, left, radius) in enumerate([(14, 16, 9), (30, 44, 12), (12, 60, 7)], 1):
        labels[(y - top) ** 2 + (x - left) ** 2 < radius**2] = number
    labels = as_the_target_wants(target, labels)
    decoded = target.decode(target.encode(labels))
    assert decoded.max() == labels.max()
    for number in range(1, labels.max() + 1):
        expected = labels == number
        found = decoded == np.bincount(decoded[expected]).argmax()
        assert (found & expected).sum() > 0.9 * (found | expected).sum()  # polygons cut corners


def test_an_empty_image_stays_empty(target: Target) -> None:
    maps = target.encode(np.zeros((16, 20), np.int32))
    assert not maps.any()
    assert not target.decode(maps).any()


def test_labels_are_left_as_they_are(target: Target) -> None:
    labels = as_the_target_wants(target, lopsided())
    before = labels.copy()
    maps = target.encode(labels)
    kept = maps.copy()
    target.decode(maps)
    target.orient(maps, 1, True)
    target.rescale(maps, (12, 18))
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(maps, kept)


def test_loss_is_the_mean_over_images_of_each_one_s(target: Target) -> None:
    labels = as_the_target_wants(target, lopsided())
    maps = torch.from_numpy(np.stack([target.encode(labels), target.encode(np.zeros_like(labels))]))
    output = torch.randn(maps.shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    torch.manual_seed(0)  # some losses are taken at points by chance
    loss = target.loss(in_training(target, output), maps)
    assert loss.shape == ()
    torch.manual_seed(0)
    each = [target.loss(in_training(target, output[[i]]), maps[[i]]) for i in range(2)]
    torch.testing.assert_close(loss, (each[0] + each[1]) / 2)
    loss.backward()
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()
    assert output.grad.any()


def test_activating_keeps_the_shape(target: Target) -> None:
    output = torch.randn(2, target.channels, 6, 8)
    assert target.activate(output).shape == output.shape


def test_is_built_again_from_its_name_and_options(target: Target) -> None:
    kind = MAKERS[target.name]
    again = kind(kind.Options(**target.options()))
    assert again.options() == target.options()
    assert again.channels == target.channels


def test_twice_the_size_is_the_maps_of_twice_the_size(target: Target) -> None:
    labels = as_the_target_wants(target, lopsided())
    rescaled = target.rescale(target.encode(labels), (48, 72))
    expected = target.encode(nearest(labels, (48, 72)))
    assert rescaled.shape == expected.shape
    assert rescaled.dtype == np.float32
    # Edges move by up to a pixel; away from them the two agree.
    difference = np.abs(rescaled - expected)
    assert np.median(difference) < 0.05 * expected.max()
    assert difference.mean() < 0.05 * expected.max()


@pytest.mark.parametrize("name", TARGETS)
def test_stands_under_its_own_name(name: str) -> None:
    assert build_target(name).name == name


def test_prompts_encode_labels_but_do_not_decode_maps() -> None:
    assert isinstance(build_prompts(), LabelEncoding)
    assert not isinstance(build_prompts(), Decoding | PackageForm)


def test_a_registered_target_is_built_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "distances", Distances)  # removed again after the test
    register_target("distances", Distances)  # an entry point may be read twice
    assert build_target("distances", {"rays": 4}).channels == 4
    assert build_target(Spec(name="distances", options={"rays": 16})).channels == 16
    with pytest.raises(InputError, match="target 'distances': rays must be an integer, got 'four'"):
        build_target("distances", {"rays": "four"})

    class Mapless(Directions):
        name = "mapless"
        map_names = property()  # type: ignore[assignment]

    with pytest.raises(InputError, match="target 'mapless': Mapless has no map_names"):
        register_target("mapless", Mapless)
    with pytest.raises(InputError, match="target 'flows': the name is taken"):
        register_target("flows", Distances)


def test_every_wrong_option_is_reported_by_its_name() -> None:
    errors = target_option_errors("rays", {"ray": 3, "grid": "auto", "prob_threshold": "auto", "rays": 33})
    assert errors == {
        "ray": "unknown option of target 'rays' 'ray'; did you mean rays?",
        "grid": "grid cannot be auto; prob_threshold, nms_threshold, outline_threshold can",
        "rays": "rays must be an integer from 4 to 256 and a multiple of 4, got 33",
    }
