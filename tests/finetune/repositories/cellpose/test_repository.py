"""Cellpose models: weights of cellpose and of finetune, partial weights, downloads, errors."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_cellpose import load_cyto3, same

from cards.base import NetworkSpec
from cards.errors import InputError
from finetune.networks.cpnet import CPnet
from finetune.repositories.cellpose import download as cellpose_store
from finetune.repositories.registry import LoadOptions, build, describe, load, save

pytestmark = pytest.mark.usefixtures("nowhere")

CYTO3 = {"diameter": None, "diam_mean": 30.0, "nchan": 2}


def theirs(path: Path, **options: Any) -> Path:
    """A file as cellpose writes it."""
    torch.manual_seed(9)
    torch.save(CPnet(**{"in_channels": 2, "out_channels": 3} | options).state_dict(), path)
    return path


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as cellpose's server of weights."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        monkeypatch.setattr(cellpose_store, "SERVER", f"http://127.0.0.1:{served.server_port}")
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield folder
        served.shutdown()


def test_a_file_of_cellpose_s(tmp_path: Path) -> None:
    path = theirs(tmp_path / "cyto3")
    loaded = load_cyto3(path)
    given = torch.load(path)
    assert all(torch.equal(loaded.network.state_dict()[key], given[key]) for key in given)
    origin = loaded.origin
    assert (origin.weights, origin.part, origin.license) == ("pretrained", None, "BSD-3-Clause")
    assert origin.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert origin.terms is not None and "CC-BY-NC" in origin.terms
    assert len(origin.citation) == 2
    assert loaded.normalize == {"name": "percentile", "low": 1.0, "high": 99.0}
    assert loaded.architecture == NetworkSpec(repository="cellpose", name="cyto3", options=CYTO3)
    assert loaded.divisor == 8
    assert all(isinstance(loaded.network.get_submodule(name), torch.nn.Module) for name in loaded.encoder)


def test_what_a_file_says_of_itself_holds(tmp_path: Path) -> None:
    loaded = load_cyto3(theirs(tmp_path / "mine", nchan=3, diam_mean=17.0), options={"diameter": 34})
    assert loaded.architecture.options == {"diameter": 34, "diam_mean": 17.0, "nchan": 3}
    assert loaded.network.diam_labels.item() == 34
    assert loaded.divisor == 8


def test_a_file_from_before_the_numbers_were_in_it(tmp_path: Path) -> None:
    path = theirs(tmp_path / "nucleitorch_0")
    given = torch.load(path)
    torch.save({key: value for key, value in given.items() if not key.startswith("diam")}, path)
    loaded = load("cellpose", "nuclei", LoadOptions(in_channels=1, out_channels=3, checkpoint=path))
    assert (loaded.network.diam_mean.item(), loaded.origin.part) == (17.0, None)


def test_the_encoder_alone(tmp_path: Path) -> None:
    whole = load_cyto3(seed=5).network
    path = tmp_path / "cyto3_downsample.pth"
    torch.save(whole.downsample.state_dict(), path)
    loaded, random = load_cyto3(path, seed=3), load_cyto3(seed=3).network
    assert loaded.origin.part == "downsample (2,786,984 of 6,600,843 parameters)"
    assert loaded.origin.weights == "pretrained"
    assert same(loaded.network.downsample, whole.downsample)
    assert same(loaded.network.upsample, random.upsample)


@pytest.mark.slow
def test_the_real_encoder_of_cyto3() -> None:
    path = os.environ.get("FINETUNE_CYTO3_DOWNSAMPLE")
    if not path:
        pytest.skip("FINETUNE_CYTO3_DOWNSAMPLE: cyto3_downsample.pth")
    assert load_cyto3(Path(path)).origin.part == "downsample (2,786,984 of 6,600,843 parameters)"


def test_for_another_target_only_the_last_layer_is_new(tmp_path: Path) -> None:
    path = theirs(tmp_path / "cyto3")
    loaded, cyto3 = load_cyto3(path, out_channels=1), load_cyto3(path)
    assert loaded.origin.part == "downsample and upsample (6,600,680 of 6,600,777 parameters)"
    assert same(loaded.network.upsample, cyto3.network.upsample)
    assert loaded.network(torch.rand(1, 1, 16, 16)).shape == (1, 1, 16, 16)


def test_random_weights_follow_the_seed_and_nothing_else() -> None:
    state = torch.random.get_rng_state()
    first = load_cyto3(seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(5)
    assert same(first.network, load_cyto3(seed=3).network)
    assert not same(first.network, load_cyto3(seed=4).network, part="output.2")
    assert (first.origin.weights, first.origin.license, first.origin.terms) == ("random", None, None)


def test_our_own_export_comes_back_and_may_see_objects_of_another_size(tmp_path: Path) -> None:
    tuned = load_cyto3(seed=7, options={"diameter": 20.0})
    save_file(tuned.network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": tuned.architecture.model_dump()}))
    assert same(load_cyto3(tmp_path).network, tuned.network)
    assert load_cyto3(tmp_path).architecture == tuned.architecture
    assert load_cyto3(tmp_path).origin.license is None  # nobody said
    other = load_cyto3(tmp_path, options={"diameter": 40.0})
    assert other.architecture.options["diameter"] == 40.0
    assert other.network.diam_labels.item() == 40.0


def test_the_server_is_asked_once(server: Path, tmp_path: Path) -> None:
    path = theirs(server / "cyto3")
    first = load_cyto3(pretrained=True)
    assert first.origin.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    assert same(load_cyto3(pretrained=True).network, first.network)
    with pytest.raises(InputError, match="cyto2: its weights cannot be downloaded"):
        load("cellpose", "cyto2", LoadOptions(in_channels=1, out_channels=3))


@pytest.mark.parametrize("revision", [None, "main", "v1"])
def test_cellpose_sam_comes_from_the_hub_and_the_commit_is_known(hub: Any, revision: str | None) -> None:
    commits = {
        name: hub.add("mouseland/cellpose-sam", {"cpsam": name.encode()}, name) for name in ("main", "v1")
    }
    fetched = cellpose_store.fetch("cpsam", revision)
    assert fetched.path.read_bytes() == (revision or "main").encode()
    assert (fetched.revision, fetched.hub_id) == (commits[revision or "main"], "mouseland/cellpose-sam")
    with pytest.raises(InputError, match="cpsam: its weights .* has no revision 'v9' .*; set model"):
        cellpose_store.fetch("cpsam", "v9")


def test_what_cellpose_downloaded_is_used(tmp_path: Path) -> None:
    (tmp_path / "cellpose").mkdir()
    theirs(tmp_path / "cellpose" / "cyto2torch_0")
    assert (
        load("cellpose", "cyto2", LoadOptions(in_channels=2, out_channels=3)).origin.weights == "pretrained"
    )


@pytest.mark.parametrize(("name", "place"), [("cyto3", "http://127.0.0.1:9/cyto3"), ("cpsam", "mouseland/")])
def test_without_a_network_the_way_out_is_said(name: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load("cellpose", name, LoadOptions(in_channels=1, out_channels=3))
    message = str(error.value)
    assert message.startswith(f"{name}: its weights cannot be downloaded from {place}")
    assert message.endswith(
        "set model.checkpoint=PATH to a weights file, or model.pretrained=false for random weights"
    )
    assert "\n" not in message
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_weights_without_revisions_have_none() -> None:
    with pytest.raises(InputError, match="model.revision: the weights of cyto3 have no revisions"):
        load_cyto3(pretrained=True, revision="main")


def test_keys_that_do_not_fit_are_counted_and_named(tmp_path: Path) -> None:
    path = theirs(tmp_path / "cyto3")
    given = torch.load(path)
    del given["output.2.bias"]
    torch.save(given | {"W2": torch.ones(1)}, path)
    with pytest.raises(InputError) as error:
        load_cyto3(path)
    message = str(error.value)
    assert "1 missing (output.2.bias); 1 unexpected (W2) (of 313 keys)" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "channels", "options", "message"),
    [
        (
            "cyto3",
            3,
            {},
            "model cyto3 accepts at most 2 channels, but the images have 3; select them with data",
        ),
        ("cpsam", 4, {}, "model cpsam accepts at most 3 channels, but the images have 4"),
        ("cyto4", 1, {}, "unknown cellpose model 'cyto4'; did you mean cyto"),
        ("cyto3", 1, {"diametre": 20}, "unknown option of model cyto3 'diametre'; did you mean diameter?"),
        (
            "cyto3",
            1,
            {"diameter": 0},
            "model cyto3: diameter: input should be greater than or equal to 3, got 0",
        ),
        (
            "cyto3",
            1,
            {"diameter": "auto"},
            "model cyto3: diameter: auto is measured by recipes only; set a number of pixels",
        ),
        ("cyto3", 1, {"nchan": 2.0}, "model cyto3: nchan must be an integer from 1 to 16, got 2.0"),
        ("cpsam", 1, {"diameter": 20}, "unknown option of model cpsam 'diameter'"),
    ],
)
def test_names_and_values_that_do_not_exist(
    name: str, channels: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        build("cellpose", name, in_channels=channels, out_channels=3, options=options)
    assert message in str(error.value)


def test_sizes_on_the_list_are_true() -> None:
    for name in ("cyto3", "cpsam"):
        with torch.device("meta"):
            network = build("cellpose", name, in_channels=1, out_channels=3).network
        count = sum(parameter.numel() for parameter in network.parameters())
        assert count == describe("cellpose", name).parameters


def test_its_own_form_comes_back(tmp_path: Path) -> None:
    tuned = load_cyto3(seed=7, options={"diameter": 20.0})
    tuned.network.to(memory_format=torch.channels_last)  # as it was trained
    (path,) = save(tuned.network, tuned.architecture, tmp_path / "native")
    state = torch.load(path, weights_only=True)
    assert all(tensor.is_contiguous() and tensor.dtype != torch.bfloat16 for tensor in state.values())
    again = load_cyto3(path, options={"diameter": 20.0})
    assert same(again.network, tuned.network)
    assert again.origin.part is None


def test_maps_that_cellpose_cannot_read_are_not_written(tmp_path: Path) -> None:
    other = load_cyto3(out_channels=2)
    assert save(other.network, other.architecture, tmp_path / "native") == []
    assert not (tmp_path / "native").exists()
