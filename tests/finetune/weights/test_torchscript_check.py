"""TorchScript that could touch files is refused before its first call; networks that only compute load."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from cards.errors import ModelError
from finetune.networks.cpnet import CPnet
from finetune.networks.unet import UNet
from finetune.weights.torchscript_check import load_torchscript
from finetune.weights.torchscript_operators import ATEN, is_allowed


class Saves(nn.Module):
    """Writes a file in its forward pass."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        torch.ops.aten.save(images, self.path)
        return images * self.scale


class Maps(nn.Module):
    """Maps a file into memory, and creates it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + torch.from_file(self.path, True, 4, dtype=torch.float32).sum()


class Hidden(nn.Module):
    """Calls the writing module behind a condition, in a submodule and another method."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.inner = Saves(path)

    @torch.jit.export
    def other(self, images: torch.Tensor) -> torch.Tensor:
        if images.sum() > 1e9:
            images = self.inner(images)
        return images

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * 2


class OnLoad(nn.Module):
    """Writes a file when it is loaded."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path = state[0]
        self.training = state[1]
        torch.ops.aten.save(torch.zeros(1), self.path)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class Prints(nn.Module):
    """Writes to standard output."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        print("hello")
        return images


class Forks(nn.Module):
    """Hides the writing module in a task."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.inner = Saves(path)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.jit.wait(torch.jit.fork(self.inner, images))


def archive(module: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [Saves, Maps, Hidden, OnLoad, Forks])
def test_a_model_that_touches_files_is_refused_and_touches_none(kind: type, tmp_path: Path) -> None:
    payload = tmp_path / "payload"
    content = archive(kind(str(payload)))
    payload.unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"weights\.pt: its TorchScript .* model\.trust=true"):
        load_torchscript(content, "weights.pt")
    assert not payload.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_prints_is_refused() -> None:
    with pytest.raises(ModelError, match="prim::Print"):
        load_torchscript(archive(Prints()), "weights.pt")


def test_trust_loads_it(tmp_path: Path) -> None:
    module = load_torchscript(archive(Saves(str(tmp_path / "payload"))), "weights.pt", trust=True)
    assert sum(1 for _ in module.parameters()) == 1


@pytest.mark.parametrize(
    ("network", "scripted"),
    [(UNet(1, 2, width=4, depth=2), True), (UNet(1, 2, width=4, depth=2), False), (CPnet(2, 3), False)],
    ids=["unet scripted", "unet traced", "cpnet traced"],  # CPnet cannot be scripted
)
def test_networks_that_compute_give_the_same(network: nn.Module, scripted: bool) -> None:
    image = torch.rand(1, 1 if isinstance(network, UNet) else 2, 64, 64)
    with torch.no_grad():
        expected = network.eval()(image)
        module = torch.jit.script(network) if scripted else torch.jit.trace(network, image)
        buffer = io.BytesIO()
        torch.jit.save(module, buffer)
        assert torch.allclose(load_torchscript(buffer.getvalue(), "weights.pt")(image), expected, atol=1e-5)


def test_damaged_files_and_bombs_are_one_line(tmp_path: Path) -> None:
    content = archive(Prints())
    for broken in (b"", b"PK", content[: len(content) // 2], b"cos\nsystem\n(S'true'\ntR."):
        with pytest.raises(ModelError, match=r"weights\.pt: not TorchScript") as refused:
            load_torchscript(broken, "weights.pt")
        assert "\n" not in str(refused.value)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("m/constants.pkl", b"")
        written.writestr("m/data/0", b"\0" * 200_000_000)
    with pytest.raises(ModelError, match="expands to"):
        load_torchscript(bomb.getvalue(), "weights.pt")


def test_every_name_on_the_list_is_an_operator_that_takes_no_file() -> None:
    """A name that torch does not have is a typing error; one with a file name must never be added."""
    schemas = torch._C._jit_get_all_schemas()
    known = {schema.name for schema in schemas}
    newer = {"_upsample_lanczos2d_aa"}  # absent from older versions of torch
    assert [name for name in ATEN - newer if not {f"aten::{name}", f"aten::{name}_"} & known] == []
    for schema in schemas:
        if any("file" in argument.name for argument in schema.arguments):
            assert not is_allowed(schema.name), schema.name
    for name in ("aten::save", "aten::from_file", "prim::PythonOp", "prim::rpc_sync", "quantized::conv2d"):
        assert not is_allowed(name)
