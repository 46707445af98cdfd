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

    (operation,) = normalize.bioimageio_preprocessing()
    descriptions = {
        "scale_range": v0_5.ScaleRangeDescr,
        "zero_mean_unit_variance": v0_5.ZeroMeanUnitVarianceDescr,
    }
    description = descriptions[operation["id"]].model_validate(operation)
    tensor = v0_5.InputTensorDescr.model_construct(id=v0_5.TensorId("image"))
    proc = get_proc(description, tensor)
    member = get_member_id(tensor)
    data = Tensor.from_numpy(image[None].astype(np.float32), dims=["batch", "channel", "y", "x"])
    sample = Sample(members={member: data}, stat={}, id="0")
    sample.stat = compute_measures(proc.required_measures, [sample])
    proc(sample)
    return sample.members[member].to_numpy()[0]


@pytest.mark.parametrize("normalize", [Percentile(), Percentile(low=3, high=90), ZeroMeanUnitVariance()])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_same_numbers_as_bioimageio(normalize, dtype):
    image = (RANDOM.gamma(2, 20, (2, 61, 47)) * [[[1]], [[3]]]).clip(0, 255).astype(dtype)
    assert np.allclose(normalize(image), by_bioimageio(normalize, image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NORMALIZATIONS)
@settings(deadline=None, max_examples=30)
@given(image=arrays(np.uint16, (2, 7, 5)))
def test_any_image_gives_finite_float32_and_options_build_it_again(name, image):
    normalize = NORMALIZATIONS[name]()
    result = normalize(image)
    assert result.dtype == np.float32
    assert result.shape == image.shape
    assert np.isfinite(result).all()
    assert NORMALIZATIONS[normalize.name](**normalize.options()) == normalize


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
    assert build_normalize({"name": "zero_mean_unit_variance", "eps": 0.1}).options() == {"eps": 0.1}
    with pytest.raises(InputError, match="eps must be a number > 0 and ≤ 0.1, got 0"):
        build_normalize({"name": "zero_mean_unit_variance", "eps": 0})
