"""PyTorch weights files: state dicts, partial weights, refused content."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cards.errors import InputError
from finetune.weights.state_dict import load_part, read_state_dict


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3))
        self.decoder = nn.Linear(3, 1)
        self.register_buffer("size", torch.tensor([30.0]))


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def small(seed: int) -> Small:
    torch.manual_seed(seed)
    return Small()


def written(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_weights_come_with_the_hash_of_their_file(tmp_path: Path) -> None:
    path = written(tmp_path / "net.pth", small(1).state_dict())
    found = read_state_dict(path)
    assert found.state.keys() == small(1).state_dict().keys()
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("wrap", [lambda bomb: bomb, lambda bomb: {"a": torch.ones(2), "b": bomb}])
def test_code_is_named_and_not_run(tmp_path: Path, wrap: Any) -> None:
    path = written(tmp_path / "net.pth", wrap(Bomb(tmp_path / "exploded")))
    with pytest.raises(
        InputError, match=r"net\.pth: holds pickled code \(\w+\.mkdir\), which is not executed"
    ) as error:
        read_state_dict(path)
    assert not (tmp_path / "exploded").exists()
    assert "\n" not in str(error.value)


def test_a_whole_network_is_code(tmp_path: Path) -> None:
    path = written(tmp_path / "net.pth", nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"Linear\), which is not executed; save the state_dict\(\) only"):
        read_state_dict(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("left", [0, 100, 700])
def test_a_file_that_was_cut_short(tmp_path: Path, zipped: bool, left: int) -> None:
    path = tmp_path / "net.pth"
    torch.save({"a": torch.ones(300)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match=r"net\.pth: not a PyTorch state dict, or truncated$"):
        read_state_dict(path)


@pytest.mark.parametrize("content", [b"hello", bytes(range(256)), pickle.dumps({"a": 1})])
def test_a_file_of_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"net\.pth: (not a PyTorch state dict|expected a state dict)"):
        read_state_dict(path)


@pytest.mark.parametrize(("content", "kind"), [([torch.ones(2)], "list"), ({"model": {}}, "dict")])
def test_tensors_that_have_no_names(tmp_path: Path, content: Any, kind: str) -> None:
    with pytest.raises(InputError, match=f"found a {kind}$"):
        read_state_dict(written(tmp_path / "net.pth", content))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.pth: cannot read the weights: No such file"):
        read_state_dict(tmp_path / "no.pth")


@pytest.mark.parametrize("leave_out", [set(), {"size"}])
def test_a_whole_network(tmp_path: Path, leave_out: set[str]) -> None:
    """Numbers beside the weights may be missing."""
    given = {key: value for key, value in small(1).state_dict().items() if key not in leave_out}
    network = small(2)
    assert load_part(network, read_state_dict(written(tmp_path / "net.pth", given))) is None
    assert all(torch.equal(network.state_dict()[key], value) for key, value in given.items())


@pytest.mark.parametrize("named", ["in the network", "alone"])
def test_a_part_of_a_network(tmp_path: Path, named: str) -> None:
    part = small(1).encoder.state_dict()
    given = {f"encoder.{key}": value for key, value in part.items()} if named == "in the network" else part
    network, decoder = small(2), small(2).decoder.state_dict()
    words = load_part(network, read_state_dict(written(tmp_path / "net.pth", given)))
    assert words == "encoder (21 of 25 parameters)"
    assert all(torch.equal(network.encoder.state_dict()[key], value) for key, value in part.items())
    assert all(torch.equal(network.decoder.state_dict()[key], value) for key, value in decoder.items())


def test_a_part_with_something_missing_is_no_part(tmp_path: Path) -> None:
    given = small(1).state_dict()
    del given["encoder.2.bias"]
    with pytest.raises(InputError, match=r"1 missing \(encoder\.2\.bias\) \(of 7 keys\)"):
        load_part(small(2), read_state_dict(written(tmp_path / "net.pth", given)))


def test_weights_of_another_network(tmp_path: Path) -> None:
    network, before = small(2), small(2).state_dict()
    with pytest.raises(InputError, match=r"7 missing \(.*, …\); 2 unexpected \(a, b\) \(of 7 keys\)"):
        load_part(
            network, read_state_dict(written(tmp_path / "net.pth", {"a": torch.ones(1), "b": torch.ones(1)}))
        )
    assert all(torch.equal(network.state_dict()[key], value) for key, value in before.items())
