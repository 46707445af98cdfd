"""A model is data, not a program: TorchScript that writes or reads files is refused before its first call."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.judge import need, nothing, refused
from fault_cases.packages import edit, put
from fault_cases.registry import fault

FORWARD = """
def forward(self, x):
    {statement}
    return self.head(x)
"""
STATEMENTS = {
    "tssave": "torch.save(x, self.path)",
    "tsfile": "x = x + 0 * torch.from_file(self.path, True, 6, dtype=torch.uint8).fill_(65).sum()",
    "tsread": "x = x + torch.from_file(self.path, False, 6, dtype=torch.uint8).sum()",
}


def script(path: str, statement: str, where: str = "forward") -> tuple[bytes, nn.Module]:
    """TorchScript of a network that carries a statement, and the network without it.

    Args:
        path: of the file that the statement writes or reads.
        statement: of Python that TorchScript compiles.
        where: "forward", "submodule", "method" (not called by forward) or "branch" (rarely taken).
    """
    plain = nn.Module()
    plain.path = path
    plain.head = nn.Conv2d(1, 1, 3, padding=1)
    module = torch.jit.script(plain)
    if where == "method":
        module.define(FORWARD.format(statement="pass"))
        module.define(FORWARD.replace("forward", "extra").format(statement=statement))
    elif where == "branch":
        module.define(FORWARD.format(statement=f"if x.mean() > 1e9:\n        {statement}"))
    else:
        module.define(FORWARD.format(statement=statement))
    if where == "submodule":
        module = torch.jit.script(nn.Sequential(module, nn.Identity()))
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return buffer.getvalue(), plain.head


def _path(bench: Bench, kind: str) -> str:
    return str(bench.secret_file if kind == "tsread" else bench.folder / "pwned")


def _package(bench: Bench, kind: str, where: str) -> Path:
    """A package whose test output is what the network gives, as an author would see to."""
    content, head = script(_path(bench, kind), STATEMENTS[kind], where)
    package = put(inputs.package(bench), "weights.pt", content)
    image = np.load(package / "test_input.npy")
    standardized = (image - image.mean((2, 3), keepdims=True)) / (image.std((2, 3), keepdims=True) + 1e-6)
    with torch.no_grad():
        output = head(torch.from_numpy(standardized)).sigmoid().numpy()
    buffer = io.BytesIO()
    np.save(buffer, output)
    return put(package, "test_output.npy", buffer.getvalue())


def _predict(bench: Bench, kind: str, where: str) -> None:
    _package(bench, kind, where)
    inputs.images(bench, names=("a",))
    refused(bench.run("predict", "package", "pred", "--out", "out"), "package")
    nothing(bench)


def _run(bench: Bench, kind: str, where: str) -> None:
    _package(bench, kind, where)
    file = inputs.package_recipe(bench, "package")
    refused(bench.run("run", file, "--out", "out", "--dry-run"), "package")
    nothing(bench)


ROWS: dict[str, tuple[str, Callable[..., None], str, str]] = {
    "bp_tsfile": ("predict: TorchScript writes a file (from_file)", _predict, "tsfile", "forward"),
    "bp_tssave": ("predict: TorchScript writes a file (save)", _predict, "tssave", "forward"),
    "br_tsfile": ("run --dry-run: TorchScript writes a file (from_file)", _run, "tsfile", "forward"),
    "br_tssave": ("run --dry-run: TorchScript writes a file (save)", _run, "tssave", "forward"),
    "ts3_pred": ("predict: a submodule writes a file", _predict, "tsfile", "submodule"),
    "ts3_read": ("predict: TorchScript reads a local file", _predict, "tsread", "forward"),
    "ts3_tsfile_dry": ("run --dry-run: a submodule writes a file", _run, "tsfile", "submodule"),
    "ts3_tssave_dry": ("run --dry-run: an exported method writes a file", _run, "tssave", "method"),
    "ts3_branch": ("predict: a branch that is rarely taken writes a file", _predict, "tssave", "branch"),
}
for _id, (_what, _check, _kind, _where) in ROWS.items():
    fault((_id, _what))(bind(_check, kind=_kind, where=_where))


@fault(
    ("tslic", "run from a package whose license is a local file and whose TorchScript writes a file"),
    ("tslic_pred", "predict with what such a run exported: the payload does not travel on"),
)
def payload_travels(bench: Bench) -> None:
    package = _package(bench, "tsfile", "forward")
    edit(package, "license: MIT", f"license:\n  source: {bench.secret_file}")
    inputs.images(bench, names=("a",))
    file = inputs.package_recipe(bench, "package")
    with bench.row("tslic"):
        refused(bench.run("run", file, "--out", "out"), "package")
    with bench.row("tslic_pred"):
        found = [path.name for path in bench.folder.rglob("pwned")]
        need(not found, "the payload ran")
        refused(bench.run("predict", "out", "pred", "--out", "out-labels"), "out")


@fault(("hub_ts", "Hub model whose network.pt is TorchScript that writes a file"))
def on_the_hub(bench: Bench) -> None:
    """What a run from a TorchScript package exports for the Hub, with another network.pt."""
    import json

    from hub_server import Server

    def make(work: Bench) -> None:
        inputs.package(work)
        result = work.run("run", inputs.package_recipe(work, "package"), "--out", "out", timeout=150)
        need(result.code == 0, f"the case itself: {result.text[-200:]}")

    export = inputs.once(bench, "tuned", make) / "out" / "huggingface"
    files = {path.name: path.read_bytes() for path in export.iterdir() if path.is_file()}
    names = [name for name in files if name.endswith(".pt")]
    need(names, f"the case itself: no TorchScript in {sorted(files)}")
    for name in names:
        original = torch.jit.load(str(export / name))
        original.define(
            FORWARD.replace("forward", "extra")
            .format(statement=f"torch.save(x, {_path(bench, 'tssave')!r})")
            .replace("return self.head(x)", "return x")
        )
        buffer = io.BytesIO()
        torch.jit.save(original, buffer)
        old = hashlib.sha256(files[name]).hexdigest()
        files[name] = buffer.getvalue()
        new = hashlib.sha256(files[name]).hexdigest()
        for text in ("record.json", "config.json", "README.md"):  # an author states the hash of what is there
            if text in files:
                files[text] = files[text].replace(old.encode(), new.encode())
    json.loads(files["config.json"])
    inputs.images(bench, names=("a",))
    with Server() as hub:
        hub.add("u/ts", files, lfs=[*names, "model.safetensors"])
        refused(bench.run("predict", "u/ts", "pred", "--out", "out", hub=hub.url), "u/ts")
    nothing(bench)
