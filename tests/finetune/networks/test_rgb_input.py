import torch
from torchvision.transforms._presets import SemanticSegmentation

from finetune.networks.rgb_input import Rgb


def test_scales_a_photograph_as_torchvision_does():
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(Rgb()(image), SemanticSegmentation(resize_size=None)(image))


def test_gray_is_repeated_and_a_missing_channel_is_empty():
    rgb, image = Rgb(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 2.0)), torch.rand(2, 2, 4, 4)
    gray, two = rgb(image[:, :1]), rgb(image)
    assert torch.equal(gray[:, 0], image[:, 0]) and torch.equal(gray[:, 2], image[:, 0] / 2)
    assert torch.equal(two[:, :2], image) and not two[:, 2].any()


def test_has_no_weights_that_a_file_would_hold():
    assert not Rgb().state_dict() and not list(Rgb().parameters())
