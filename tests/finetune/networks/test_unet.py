"""U-Net: image sizes, exports, and independence of the images in a batch."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from finetune.networks import unet
from finetune.networks.unet import UNet


def tiny(**options: int) -> UNet:
    torch.manual_seed(0)
    return UNet(**({"in_channels": 2, "out_channels": 3, "width": 8, "depth": 2} | options)).eval()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_maps_are_as_large_as_the_image(depth: int) -> None:
    network = tiny(depth=depth)
    for height, width in [(1, 1), (2, 3), (4, 1)]:
        images = torch.randn(2, 2, height * 2**depth, width * 2**depth)
        assert network(images).shape == (2, 3, *images.shape[2:])


def test_sees_far_but_not_everything_alike() -> None:
    """A change in one corner reaches pixels as far as the lowest resolution carries it."""
    network = tiny()
    images = torch.randn(1, 2, 32, 32)
    changed = images.clone()
    changed[..., 0, 0] += 5
    difference = (network(images) - network(changed)).abs().sum(dim=1)[0]
    assert difference[0, 0] > 10 * difference[-4:, -4:].max()
    assert difference[8, 8] > 0


def test_images_of_a_batch_do_not_see_each_other_in_training() -> None:
    network = tiny().train()
    images = torch.randn(3, 2, 16, 16)
    torch.testing.assert_close(network(images)[:1], network(images[:1]))


def test_has_no_state_besides_its_parameters() -> None:
    assert not list(tiny().buffers())


def test_starts_with_output_and_gradient_of_sane_size() -> None:
    network = tiny(width=16, depth=3)
    output = network(torch.randn(4, 2, 64, 64))
    assert 0.1 < output.std() < 10
    output.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_learns_an_image_by_heart() -> None:
    network = tiny(in_channels=1, out_channels=1).train()
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(1, 1, 16, 16, generator=generator)
    maps = (images > 0.5).float()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(40):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images), maps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((network(images) > 0).float() == maps).float().mean() > 0.98


def test_traced_at_one_size_it_runs_at_another(tmp_path: Path) -> None:
    network = tiny()
    with torch.no_grad():
        torch.jit.save(torch.jit.trace(network, torch.randn(1, 2, 16, 16)), tmp_path / "unet.pt")
        traced = torch.jit.load(tmp_path / "unet.pt")
        for shape in [(1, 2, 16, 16), (2, 2, 24, 40)]:
            images = torch.randn(shape)
            torch.testing.assert_close(traced(images), network(images))


@pytest.mark.slow
def test_exported_to_onnx_at_one_size_it_runs_at_another(tmp_path: Path) -> None:
    import onnxruntime

    network, file = tiny(), tmp_path / "unet.onnx"
    height, width = torch.export.Dim("height", min=1), torch.export.Dim("width", min=1)
    torch.onnx.export(
        network,
        (torch.randn(1, 2, 16, 24),),
        file,
        dynamo=True,
        verbose=False,
        dynamic_shapes=({2: 4 * height, 3: 4 * width},),
    )
    session = onnxruntime.InferenceSession(file)
    for shape in [(1, 2, 16, 24), (1, 2, 32, 8), (1, 2, 4, 60)]:
        images = torch.randn(shape)
        (output,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        np.testing.assert_allclose(output, network(images).detach().numpy(), atol=1e-4)


def test_its_file_imports_nothing_but_torch() -> None:
    names = set()
    for node in ast.walk(ast.parse(inspect.getsource(unet))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names == {"torch", "__future__"}
