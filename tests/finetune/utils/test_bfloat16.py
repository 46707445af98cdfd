"""Networks in bfloat16, and in bfloat16 that the processor has to emulate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from finetune.networks.stardist_unet import StarDistUNet
from finetune.networks.unet import UNet
from finetune.utils.bfloat16 import EmulatedBf16, in_bf16, is_fast_in_bf16

IMAGE = torch.rand((1, 1, 64, 64), generator=torch.Generator().manual_seed(0))
NETWORKS = {
    "U-Net": lambda: UNet(1, 2, width=8, depth=2),
    "batch normalization": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1)
    ),
    "StarDist U-Net": lambda: StarDistUNet(1, 17, grid=2, width=8, depth=2),
    "attention": lambda: Attention(),
}


class Attention(nn.Module):
    """Attention among the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.project, self.out = nn.LayerNorm(64), nn.Linear(64, 192), nn.Linear(64, 64)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, H, 64) to the same shape."""
        q, k, v = self.project(self.norm(images)).reshape(*images.shape[:3], 3, 64).unbind(3)
        return self.out(nn.functional.scaled_dot_product_attention(q, k, v))


def network_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name]().eval()


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_network_in_bf16_gives_about_the_output_of_float32_and_is_not_changed(name: str) -> None:
    network = network_of(name)
    before = network(IMAGE)
    output = in_bf16(network)(IMAGE)
    assert output.dtype == torch.bfloat16
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    torch.testing.assert_close(network(IMAGE), before)
    error = (output.float() - before).abs().mean() / before.std()
    assert 1e-5 < error < 0.03, "outputs in float32 would agree to 1e-6"


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_processor_that_emulates_bf16_gives_about_the_output_of_one_that_has_it(name: str) -> None:
    if not is_fast_in_bf16(torch.device("cpu")):
        pytest.skip("the processor has no bfloat16 to compare with")
    run = in_bf16(network_of(name), pack=False)
    native = run(IMAGE).float()
    with EmulatedBf16():
        emulated = run(IMAGE).float()
    assert (emulated - native).abs().mean() < 0.01 * native.std()


def test_one_emulated_layer_differs_in_the_last_digit_at_most() -> None:
    torch.manual_seed(0)
    layer, image = nn.Conv2d(16, 16, 3, dtype=torch.bfloat16), torch.randn(1, 16, 32, 32).bfloat16()
    with torch.no_grad():
        native = layer(image)
        with EmulatedBf16():
            emulated = layer(image)
        exact = layer.double()(image.double())
    assert emulated.dtype == torch.bfloat16
    assert torch.equal(emulated, exact.bfloat16()) or (emulated != exact.bfloat16()).float().mean() < 0.01
    torch.testing.assert_close(emulated, native, rtol=2**-7, atol=1e-3)
