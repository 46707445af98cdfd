"""`finetune download`: one folder with models and data that a computer without a network uses."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hub_publish_server import PublishHub
from range_server import Files, serve
from safetensors.torch import save
from typer.testing import CliRunner

from cards.errors import InputError
from cards.fingerprint import sha256_file
from finetune.cli.main import app
from finetune.networks.cpnet import CPnet
from finetune.pipeline.offline_folder import Entry, StoredFile, is_intact
from finetune.repositories.cellpose import download as cellpose_store
from finetune.utils.offline import PLACES, VARIABLE

TOKEN = "hf_secret_token_of_a_test"


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches that the command changes are restored after the test."""
    from huggingface_hub import constants

    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE"):  # `finetune.utils.offline.use_folder` sets both
        monkeypatch.setattr(constants, name, getattr(constants, name))
    monkeypatch.chdir(tmp_path)
    for variable in (*PLACES, VARIABLE, "HF_HUB_OFFLINE"):
        monkeypatch.setenv(variable, str(tmp_path / "elsewhere") if variable in PLACES else "")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """Cellpose's server, with the weights of cyto2."""
    torch.manual_seed(0)
    with serve() as files:
        monkeypatch.setattr(cellpose_store, "SERVER", files.url)
        path = Path("cyto2")
        torch.save(CPnet(2, 3).state_dict(), path)
        files.content["/cyto2torch_0"] = path.read_bytes()
        yield files


def download(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["download", *arguments], catch_exceptions=False)
    return done.stdout


def index(folder: str = "offline") -> dict:
    return {entry["id"]: entry for entry in json.loads(Path(folder, "downloads.json").read_text())["entries"]}


def test_a_model_is_stored_with_hash_license_and_source(server: Files) -> None:
    output = download("cellpose:cyto2", "--to", "node")
    assert "cellpose:cyto2: downloaded, 26." in output
    assert "use without a network: finetune run RECIPE --offline node" in output
    entry = index("node")["cellpose:cyto2"]
    assert (entry["license"], entry["source"]) == ("BSD-3-Clause", f"{server.url}/cyto2torch_0")
    ((path, file),) = entry["files"].items()
    assert Path("node", path).read_bytes() == server.content["/cyto2torch_0"]
    assert len(file["sha256"]) == 64 and file["bytes"] == len(server.content["/cyto2torch_0"])


def test_a_second_call_verifies_and_asks_no_server(server: Files) -> None:
    download("cellpose:cyto2")
    asked = len(server.ranges)
    assert "cellpose:cyto2: already there, verified" in download("cyto2")
    assert len(server.ranges) == asked


def test_a_damaged_file_is_downloaded_again(server: Files) -> None:
    download("cellpose:cyto2")
    (path,) = index()["cellpose:cyto2"]["files"]
    content = bytearray(Path("offline", path).read_bytes())
    content[1000] ^= 1
    Path("offline", path).write_bytes(content)
    assert "cellpose:cyto2: downloaded" in download("cellpose:cyto2")
    assert Path("offline", path).read_bytes() == server.content["/cyto2torch_0"]


def test_an_interrupted_download_continues(server: Files) -> None:
    server.cuts = [1_000_000, 1_000_000, 1_000_000]
    with pytest.raises(InputError, match="cyto2: its weights cannot be downloaded"):
        download("cellpose:cyto2")
    assert not Path("offline", "downloads.json").exists()
    download("cellpose:cyto2")
    assert int((server.ranges[-1] or "bytes=0-").removeprefix("bytes=").rstrip("-")) > 2_900_000


def test_a_model_of_the_hub_is_pinned_and_used_offline(hub: PublishHub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.token = TOKEN
    first = hub.add("mouseland/cellpose-sam", {"cpsam": b"first"}, "v1")
    second = hub.add("mouseland/cellpose-sam", {"cpsam": b"second"})
    output = download("cellpose:cpsam")
    assert index()["cellpose:cpsam"]["revision"] == second
    download("cellpose:cpsam@v1", "--to", "old")
    assert index("old")["cellpose:cpsam"]["revision"] == first
    written = output + "".join(path.read_text() for path in Path().glob("*/downloads.json"))
    assert TOKEN not in written
    asked = len(hub.asked)
    CliRunner().invoke(app, ["predict", "none", "none", "--offline", "offline"])
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert cellpose_store.fetch("cpsam", None).path.read_bytes() == b"second"
    assert len(hub.asked) == asked


def test_a_model_that_the_folder_lacks_is_not_downloaded(server: Files) -> None:
    download("cellpose:cyto2", "--to", "node")
    Path("images").mkdir()
    tifffile.imwrite("images/a.tif", np.zeros((8, 8), np.uint8))
    asked = len(server.ranges)
    done = CliRunner().invoke(app, ["predict", "cellpose:cyto3", "images", "--offline", "node"])
    assert isinstance(done.exception, InputError)
    assert "(--offline or FINETUNE_OFFLINE is set)" in str(done.exception)
    assert "with `finetune download cellpose:cyto3 --to FOLDER`" in str(done.exception)
    assert len(server.ranges) == asked


def test_a_model_of_transformers_is_stored_with_the_license_on_its_card(hub: PublishHub) -> None:
    files = {
        "config.json": b'{"model_type": "segformer"}',
        "model.safetensors": save({"weight": torch.zeros(2)}),
        "README.md": b"---\nlicense: mit\n---\n",
        "pytorch_model.bin": b"never downloaded: it can hold code",
    }
    commit = hub.add("lab/segments", files)
    download("lab/segments")
    entry = index()["huggingface:lab/segments"]
    assert (entry["revision"], entry["license"]) == (commit, "mit")
    names = {Path(path).name for path in entry["files"]}
    assert names == {"config.json", "model.safetensors", "README.md"}


def test_the_weights_of_sam2_come_from_the_hub(hub: PublishHub) -> None:
    commit = hub.add("facebook/sam2-hiera-tiny", {"sam2_hiera_tiny.pt": b"weights"})
    download("sam2:sam2-hiera-tiny")
    entry = index()["sam2:sam2-hiera-tiny"]
    assert (entry["revision"], entry["license"]) == (commit, "Apache-2.0")
    assert entry["source"] == "https://huggingface.co/facebook/sam2-hiera-tiny"


@pytest.mark.parametrize(("status", "words"), [(401, "hf auth login"), (503, "server error")])
def test_a_hub_that_refuses_is_one_line_without_the_token(
    hub: PublishHub, monkeypatch, status: int, words: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.status = status
    with pytest.raises(InputError) as error:
        download("lab/segments")
    assert words in str(error.value) and TOKEN not in str(error.value) and "\n" not in str(error.value)
    assert not Path("offline", "downloads.json").exists()


def test_the_data_of_a_recipe_are_downloaded_too() -> None:
    output = download("quickstart")
    assert "sample: downloaded" in output
    entry = index()["sample"]
    assert entry["kind"] == "data" and entry["license"] == "BSD-3-Clause" and len(entry["files"]) == 14
    assert Path("offline", "finetune", "sample", "train", "images").is_dir()


def test_damaged_data_are_created_again() -> None:
    download("quickstart")
    path = next(Path("offline", "finetune", "sample").rglob("*.tif"))
    before = path.read_bytes()
    path.write_bytes(b"damaged")
    assert "sample: downloaded" in download("quickstart")
    assert path.read_bytes() == before


def test_the_list_shows_sizes_and_what_is_missing(server: Files) -> None:
    download("cellpose:cyto2", "quickstart")
    listed = download("--list")
    assert re.search(r"cellpose:cyto2 +model +none +BSD-3-Clause +26\.\d+ MB .* complete", listed)
    assert "2 downloads, " in listed
    (path,) = index()["cellpose:cyto2"]["files"]
    Path("offline", path).unlink()
    assert "1 of 1 files are missing" in download("--list")


def test_local_images_and_random_weights_are_named(recipe_file: Path, capfd) -> None:
    done = CliRunner().invoke(app, ["download", str(recipe_file)], catch_exceptions=False)
    assert "note: discs: its images are local files; copy them yourself" in done.stderr
    assert "note: discs: wipp:unet starts from random weights; nothing to download" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name models or recipes to download"),
        (["cyto33"], "unknown model 'cyto33'; did you mean cyto3"),
        (["wipp:unet"], "wipp:unet: has no published weights; nothing to download"),
        (["nothing.yaml"], "nothing.yaml: neither a recipe file nor the name of an included recipe"),
        (["--list"], "offline: holds no downloads; fill it with: finetune download ID --to offline"),
        (["--list", "cyto3"], "name nothing to download, or leave --list out"),
        (["cyto2@v2"], "the weights of cyto2 have no revisions"),
    ],
)
def test_bad_input_is_one_line_and_downloads_nothing(
    server: Files, arguments: list[str], message: str
) -> None:
    with pytest.raises(InputError) as error:
        download(*arguments)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not server.ranges


def test_a_name_that_is_unknown_stops_before_the_first_download(server: Files) -> None:
    with pytest.raises(InputError, match="unknown model"):
        download("cellpose:cyto2", "cyto33")
    assert not server.ranges and not Path("offline").exists()


def test_an_offline_folder_that_holds_nothing_is_refused(command) -> None:
    done = command("run", "quickstart", "--offline", "nowhere")
    expected = "finetune: nowhere: holds no downloads; fill it with: finetune download ID --to nowhere\n"
    assert (done.returncode, done.stderr) == (2, expected)


@pytest.mark.slow
def test_a_computer_without_a_network_runs_from_the_folder(server: Files, command) -> None:
    download("cellpose:cyto2", "quickstart", "--to", "node")
    blocked = {name: value for name, value in os.environ.items() if name not in PLACES}
    blocked |= {
        "FINETUNE_OFFLINE": "node",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = command(
        "run",
        "quickstart",
        "model.repository=cellpose",
        "model.name=cyto2",
        "model.options={}",
        "model.target=flows",
        "--dry-run",
        env=blocked,
    )
    assert done.returncode == 0, done.stderr
    assert "cellpose cyto2, pretrained weights" in done.stdout


@pytest.mark.parametrize(
    ("id", "path"), [("cellpose:cyto3", "../victim/thesis.txt"), ("../victim", "a"), ("x", "/victim")]
)
def test_a_list_that_names_files_outside_the_folder_is_refused(tmp_path: Path, id: str, path: str) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "thesis.txt").write_text("ten years")
    (tmp_path / "shared").mkdir()
    entry = {"id": id, "kind": "data", "source": "x", "downloaded": "2026-01-01"}
    entry |= {"files": {path: {"bytes": 1, "sha256": "00"}}}
    (tmp_path / "shared" / "downloads.json").write_text(json.dumps({"entries": [entry]}))
    with pytest.raises(InputError, match="is outside the folder; delete the file"):
        download("cellpose:cyto3", "--to", "shared")
    assert (tmp_path / "victim" / "thesis.txt").read_text() == "ten years"


def test_a_stardist_model_with_a_damaged_file_is_downloaded_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "finetune" / "stardist" / "2D_versatile_fluo"
    folder.mkdir(parents=True)
    for name in ("config.json", "weights_best.h5"):
        (folder / name).write_text("content")
    files = {
        f"finetune/stardist/2D_versatile_fluo/{path.name}": StoredFile(
            bytes=path.stat().st_size, sha256=sha256_file(path)
        )
        for path in folder.iterdir()
    }
    entry = Entry(
        id="stardist:2D_versatile_fluo", kind="model", source="x", downloaded="2026-01-01", files=files
    )
    assert is_intact(entry, tmp_path)
    (folder / "weights_best.h5").write_text("damaged")
    assert not is_intact(entry, tmp_path)
    assert not folder.exists()


def test_a_local_package_is_not_downloaded() -> None:
    run = Path(__file__).parents[2] / "fixtures" / "0.2.0" / "run"
    package = next((run / "bioimageio").glob("*.zip"))
    with pytest.raises(InputError, match="is a local package; nothing to download"):
        download(f"bioimageio:{package}", "--to", "node")
