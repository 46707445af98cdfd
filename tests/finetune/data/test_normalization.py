import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from cards.errors import InputError
from finetune.data.normalization import NORMALIZATIONS, Percentile, ZeroMeanUnitVariance, build_normalize

RANDOM = np.random.default_rng(0)


def by_bioimageio(normalize, image):
    """The same image, prepared by bioimageio.core from the description that goes into a package."""
    from bioimageio.core.digest_spec import get_member_id
    from bioimageio.core.proc_ops import get_proc
    from bioimageio.core.sample import Sample
    from bioimageio.core.stat_calculators import compute_measures
    from bioimageio.core.tensor import Tensor
    from bioimageio.spec.model import v0_5

    descriptions = {
        "scale_range": v0_5.ScaleRangeDescr,
        "clip": v0_5.ClipDescr,
        "zero_mean_unit_variance": v0_5.ZeroMeanUnitVarianceDescr,
    }
    tensor = v0_5.InputTensorDescr.model_construct(id=v0_5.TensorId("image"))
    member = get_member_id(tensor)
    data = Tensor.from_numpy(image[None].astype(np.float32), dims=["batch", "channel", "y", "x"])
    sample = Sample(members={member: data}, stat={}, id="0")
    for operation in normalize.bioimageio_preprocessing():
        proc = get_proc(descriptions[operation["id"]].model_validate(operation), tensor)
        sample.stat = compute_measures(proc.required_measures, [sample])
        proc(sample)
    return sample.members[member].to_numpy()[0]


@pytest.mark.parametrize("normalize", [Percentile(), Percentile(low=3, high=90), ZeroMeanUnitVariance()])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_same_numbers_as_bioimageio(normalize, dtype):
    image = (RANDOM.gamma(2, 20, (2, 61, 47)) * [[[1]], [[3]]]).clip(0, 255).astype(dtype)
    assert np.allclose(normalize(image), by_bioimageio(normalize, image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NORMALIZATIONS)
@settings(max_examples=30)
@given(image=arrays(np.uint16, (2, 7, 5)))
def test_any_image_gives_finite_float32_and_options_build_it_again(name, image):
    normalize = NORMALIZATIONS[name]()
    result = normalize(image)
    assert result.dtype == np.float32
    assert result.shape == image.shape
    assert np.isfinite(result).all()
    assert NORMALIZATIONS[normalize.name](**normalize.options()) == normalize


def sparse(dtype, high):
    image = np.zeros((2, 61, 47), dtype)
    image[:, 5, 6:9] = [high, high // 2, high // 3]
    return image


@pytest.mark.parametrize("saturated", [False, True])
@pytest.mark.parametrize(("dtype", "high"), [("uint8", 255), ("uint16", 65535), ("float32", 1e6)])
def test_values_stay_bounded_where_percentiles_coincide(dtype, high, saturated):
    image = sparse(dtype, high)
    image = high - image if saturated else image
    nearly = image.copy()
    nearly[:, :8] += 1 if not saturated else 0
    for each in (image, nearly):
        for normalize in (Percentile(), Percentile(clip=5)):
            result = normalize(each)
            assert np.abs(result).max() <= normalize.clip
            assert np.allclose(result, by_bioimageio(normalize, each), rtol=1e-5, atol=1e-6)


def test_one_sparse_image_does_not_ruin_batch_statistics():
    import torch

    torch.manual_seed(0)
    ordinary = [Percentile()(RANDOM.gamma(2, 20, (1, 64, 64)).astype(np.uint8)) for _ in range(7)]
    image = np.zeros((1, 64, 64), np.uint8)
    image[0, 10, 10:13] = 255
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4))
    network(torch.from_numpy(np.stack([*ordinary, Percentile()(image)])))
    assert network[1].running_var.max() < 10
    network.eval()
    assert network(torch.from_numpy(ordinary[0][None])).std() > 0.1


def test_ordinary_images_are_not_clipped():
    image = RANDOM.gamma(2, 20, (2, 61, 47)).astype(np.uint16)
    assert np.array_equal(Percentile()(image), Percentile(clip=1e30)(image))


@pytest.mark.parametrize("value", [0, 7, 65535])
@pytest.mark.parametrize("name", ["percentile", "zero_mean_unit_variance"])
def test_a_constant_image_becomes_zero(name, value):
    assert not NORMALIZATIONS[name]()(np.full((1, 300, 300), value, np.uint16)).any()


@pytest.mark.parametrize("bounds", [(50, 50), (99, 1), (-1, 99), (0, 101)])
def test_impossible_percentiles(bounds):
    with pytest.raises(InputError, match="normalization percentile: "):
        build_normalize({"name": "percentile", "low": bounds[0], "high": bounds[1]})


def test_scale_linear_scales_every_channel_by_its_own_numbers():
    image = np.full((2, 3, 4), 10, np.uint8)
    scaled = build_normalize({"name": "scale_linear", "gain": [1.0, 0.5], "offset": -1.0})(image)
    assert scaled.dtype == np.float32
    assert scaled[:, 0, 0].tolist() == [9, 4]
    with pytest.raises(InputError, match="is for 2 channels, the image has 3"):
        build_normalize({"name": "scale_linear", "gain": [1.0, 0.5]})(np.zeros((3, 4, 4)))


def test_only_an_unusual_eps_is_an_option_worth_telling():
    assert build_normalize({"name": "percentile", "eps": 1e-6}).options() == {"low": 1.0, "high": 99.8}
    assert build_normalize({"name": "percentile", "clip": 20.0}).options() == {"low": 1.0, "high": 99.8}
    assert build_normalize({"name": "percentile", "clip": 9.0}).options()["clip"] == 9
    assert build_normalize({"name": "zero_mean_unit_variance", "eps": 0.1}).options() == {"eps": 0.1}
    with pytest.raises(InputError, match="eps must be a number > 0 and ≤ 0.1, got 0"):
        build_normalize({"name": "zero_mean_unit_variance", "eps": 0})


@pytest.mark.parametrize("normalize", [Percentile(), Percentile(low=2, clip=9), ZeroMeanUnitVariance()])
def test_what_a_package_states_is_read_back(normalize):
    from bioimageio.spec.model import v0_5

    from finetune.repositories.bioimageio.operations import normalization

    descriptions = {"scale_range": v0_5.ScaleRangeDescr, "clip": v0_5.ClipDescr}
    operations = [
        descriptions.get(each["id"], v0_5.ZeroMeanUnitVarianceDescr).model_validate(each)
        for each in normalize.bioimageio_preprocessing()
    ]
    assert build_normalize(normalization(operations, 1, "package")) == normalize


def test_a_normalization_needs_a_name():
    with pytest.raises(InputError, match="normalization without a name; known: percentile"):
        build_normalize({"low": 2.0})
