import pytest
import torch
from torch import nn

from finetune.networks.encoder_decoder import EncoderDecoder, PyramidDecoder


class Pooling(nn.Module):
    """Features that are the image itself, at each stride."""

    def __init__(self, strides):
        super().__init__()
        self.strides = strides

    def forward(self, images):
        return tuple(nn.functional.avg_pool2d(images, stride) for stride in self.strides)


@pytest.mark.parametrize("strides", [(4, 8, 16, 32), (16,), (8, 32), (4,)])
def test_maps_have_the_size_of_the_image_whatever_the_levels(strides):
    network = EncoderDecoder(Pooling(strides), PyramidDecoder([3] * len(strides), strides, out_channels=5))
    assert network(torch.rand(2, 3, 64, 96)).shape == (2, 5, 64, 96)


def test_learns_an_edge_that_lies_between_the_pixels_of_its_features():
    torch.manual_seed(0)
    network = EncoderDecoder(Pooling((4,)), PyramidDecoder([1], (4,), out_channels=1, width=16))
    image = torch.zeros(4, 1, 32, 32)
    for number, column in enumerate((9, 14, 18, 23)):  # none is a multiple of 4
        image[number, :, :, column:] = 1
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(150):
        loss = nn.functional.binary_cross_entropy_with_logits(network(image), image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((network(image) > 0) == (image > 0)).all()


def test_gradients_reach_the_encoder():
    encoder = nn.Sequential(nn.Conv2d(1, 3, 4, stride=4))
    network = EncoderDecoder(_Tuple(encoder), PyramidDecoder([3], (4,), out_channels=1))
    network(torch.rand(1, 1, 32, 32)).sum().backward()
    assert encoder[0].weight.grad.abs().max() > 0


class _Tuple(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return (self.network(images),)


@pytest.mark.parametrize("strides", [(2, 4), (4, 12), (8, 4)])
def test_refuses_strides_it_cannot_join(strides):
    with pytest.raises(ValueError, match="powers of 2"):
        PyramidDecoder([3, 3], strides, out_channels=1)
