"""CPnet: parameter names and shapes, output compared with cellpose 3, resizing, exports."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
from pathlib import Path

import pytest
import torch

from finetune.networks import cpnet
from finetune.networks.cpnet import CPnet
from finetune.weights.onnx import write_onnx
from finetune.weights.torchscript import write_torchscript

# Names and shapes as cellpose 3.1.1.3 writes them, picked from each kind of block.
SHAPES = {
    "downsample.down.res_down_0.conv.conv_0.2.weight": (32, 2, 3, 3),
    "downsample.down.res_down_0.proj.1.weight": (32, 2, 1, 1),
    "downsample.down.res_down_3.conv.conv_3.0.running_var": (256,),
    "upsample.up.res_up_3.conv.conv_0.2.weight": (256, 256, 3, 3),
    "upsample.up.res_up_0.conv.conv_1.conv.2.bias": (32,),
    "upsample.up.res_up_0.conv.conv_3.full.weight": (32, 256),
    "upsample.up.res_up_1.proj.0.weight": (128,),
    "output.0.weight": (32,),
    "output.2.weight": (3, 32, 1, 1),
    "diam_mean": (1,),
    "diam_labels": (1,),
}

THEIRS = """
import sys, torch
from cellpose.resnet_torch import CPnet
given = torch.load(sys.argv[1])
network = CPnet([2, 32, 64, 128, 256], 3, 3)
network.load_state_dict(given["state"], strict=True)
with torch.no_grad():
    flows, style, _ = network.eval()(given["images"])
torch.save({"flows": flows, "style": style}, sys.argv[2])
"""


def lived_in(**options: float) -> CPnet:
    """A network whose norms have seen something, so that a norm in the wrong place shows."""
    torch.manual_seed(0)
    network = CPnet(**({"in_channels": 2, "out_channels": 3} | options)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


def test_names_and_shapes_are_cellpose_s() -> None:
    state = CPnet(2, 3).state_dict()
    assert len(state) == 313
    assert {key: tuple(state[key].shape) for key in SHAPES} == SHAPES
    assert sum(parameter.numel() for parameter in CPnet(2, 3).parameters()) == 6_600_843


@pytest.mark.slow
def test_gives_what_cellpose_3_gives(tmp_path: Path) -> None:
    python = os.environ.get("FINETUNE_CELLPOSE3")
    if not python:
        pytest.skip("FINETUNE_CELLPOSE3: the Python of an environment with cellpose 3.1.1.3")
    network, images = lived_in(), torch.rand(2, 2, 64, 96)
    torch.save({"state": network.state_dict(), "images": images}, tmp_path / "given.pt")
    files = [str(tmp_path / name) for name in ("given.pt", "theirs.pt")]
    subprocess.run([python, "-c", THEIRS, *files], check=True, timeout=300)
    theirs = torch.load(tmp_path / "theirs.pt")
    with torch.no_grad():
        flows, style = network.flows_and_style(images)
    torch.testing.assert_close(flows, theirs["flows"], rtol=0, atol=1e-5)
    torch.testing.assert_close(style, theirs["style"], rtol=0, atol=1e-5)


def test_an_image_of_one_channel_is_one_of_two_with_nothing_in_the_second() -> None:
    one, two = lived_in(in_channels=1), lived_in()
    images = torch.rand(1, 1, 16, 24)
    both = torch.cat([images, torch.zeros_like(images)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(one(images), two(both))
    assert one.state_dict().keys() == two.state_dict().keys()


@pytest.mark.parametrize(("diameter", "inside"), [(15.0, (64, 128)), (60.0, (16, 32)), (200.0, (8, 8))])
def test_objects_are_brought_to_the_diameter_that_the_weights_know(
    diameter: float, inside: tuple[int, int]
) -> None:
    network, seen = lived_in(diameter=diameter), []
    network.downsample.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2:]))
    height, width = 32, 64
    assert height % network.divisor == 0
    with torch.no_grad():
        assert network(torch.rand(1, 2, height, width)).shape == (1, 3, height, width)
    assert tuple(seen[0]) == inside


def test_resized_it_gives_what_cellpose_gives_when_it_resizes() -> None:
    """Twice the size, linearly, and back: what `cellpose` does with cv2."""
    cv2 = pytest.importorskip("cv2")
    network, image = lived_in(diameter=15.0), torch.rand(1, 2, 32, 48)
    large = cv2.resize(image[0].permute(1, 2, 0).numpy(), (96, 64), interpolation=cv2.INTER_LINEAR)
    with torch.no_grad():
        flows = network.flows_and_style(torch.from_numpy(large).permute(2, 0, 1)[None])[0]
        ours = network(image)[0].permute(1, 2, 0).numpy()
    expected = cv2.resize(flows[0].permute(1, 2, 0).numpy(), (48, 32), interpolation=cv2.INTER_LINEAR)
    assert abs(ours - expected).max() < 1e-4 * abs(expected).max()


def test_the_numbers_that_travel_with_the_weights() -> None:
    network = CPnet(2, 3, diam_mean=17.0, diameter=34.0)
    assert (network.diam_mean.item(), network.diam_labels.item()) == (17.0, 34.0)
    assert CPnet(2, 3).diam_labels.item() == 30.0
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_weight_learns() -> None:
    network = lived_in().train()
    output = network(torch.rand(2, 2, 32, 32))
    assert 0.01 < output.std() < 10
    output.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_traced_at_one_size_it_runs_at_another(tmp_path: Path) -> None:
    """The writer compares at another size, and raises."""
    network = lived_in(in_channels=1, diameter=21.3)
    write_torchscript(network, tmp_path / "net.pt", channels=1, divisor=network.divisor)


@pytest.mark.slow
@pytest.mark.parametrize("diameter", [21.3, None, 80.0])
def test_exported_at_one_size_it_runs_at_another(tmp_path: Path, diameter: float | None) -> None:
    """The writers compare at another size, and raise."""
    network = lived_in(in_channels=1, diameter=diameter)
    write_torchscript(network, tmp_path / "net.pt", channels=1, divisor=network.divisor)
    write_onnx(network, tmp_path / "net.onnx", channels=1, divisor=network.divisor)


def test_its_file_imports_nothing_but_torch() -> None:
    nodes = list(ast.walk(ast.parse(inspect.getsource(cpnet))))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert names == {"torch", "torch.nn.functional", "__future__"}
