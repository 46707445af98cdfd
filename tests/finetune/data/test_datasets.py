import functools
import hashlib
import io
import os
import threading
import zipfile
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cards.errors import InputError
from cards.fingerprint import data_digest
from finetune.data.datasets import DATASETS, fetch, is_published, named
from finetune.data.inspection import check_data
from finetune.data.pairs import find_pairs
from finetune.data.splits import assign_splits


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("FINETUNE_CACHE", str(folder))
    return folder


@pytest.fixture
def served(tmp_path):
    """A folder and the address at which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def listed(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def archive(path: Path, top: str = "tiny/") -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for kind in ("images", "masks"):
            for index in range(2):
                pixels = io.BytesIO()
                tifffile.imwrite(pixels, (np.arange(64).reshape(8, 8) + index).astype(np.uint8))
                file.writestr(f"{top}train/{kind}/{index}.tif", pixels.getvalue())
    return path.read_bytes()


def tiny(url, **changes):
    return replace(DATASETS["dsb2018"], id="tiny", url=url, pixels=None, **changes)


def files_of(root, label_kind="instances"):
    pairs, _ = assign_splits(find_pairs(root), validation=0, test=0)
    return check_data(pairs, label_kind, "instances", "auto", root)[0]


def test_a_download_is_unpacked_once(served, cache):
    folder, address = served
    content = archive(folder / "a.zip")
    data = tiny(f"{address}/a.zip", sha256=hashlib.sha256(content).hexdigest())
    root = fetch(data)
    assert root == cache / "tiny"
    assert len(find_pairs(root)) == 2
    (folder / "a.zip").unlink()
    assert fetch(data) == root
    assert listed(cache) == ["tiny"]


def test_an_archive_without_a_top_folder(served):
    folder, address = served
    archive(folder / "a.zip", top="")
    assert len(find_pairs(fetch(tiny(f"{address}/a.zip")))) == 2


def test_known_pixels_are_taken_and_others_refused(served, cache, tmp_path):
    folder, address = served
    archive(folder / "a.zip")
    with zipfile.ZipFile(folder / "a.zip") as file:
        file.extractall(tmp_path / "here")
    known = data_digest(files_of(tmp_path / "here" / "tiny"))
    with pytest.raises(InputError, match="contains other images than the published data set tiny"):
        fetch(replace(tiny(f"{address}/a.zip"), pixels="0" * 64))
    assert listed(cache) == []
    assert fetch(replace(tiny(f"{address}/a.zip"), pixels=known)).is_dir()


def test_what_is_damaged_or_hostile_leaves_nothing(served, cache):
    folder, address = served
    content = archive(folder / "good.zip")
    (folder / "short.zip").write_bytes(content[: len(content) // 2])
    with zipfile.ZipFile(folder / "evil.zip", "w") as file:
        file.writestr("../../evil.txt", "x")
    with zipfile.ZipFile(folder / "bomb.zip", "w") as file:
        file.writestr("bomb.tif", "x")
        file.filelist[0].file_size = 10**15
    for name, sha256, said in (
        ("short.zip", None, "is not a complete zip archive"),
        ("evil.zip", None, r"would write outside its folder \(\.\./\.\./evil\.txt\)"),
        ("bomb.zip", None, "expands to 1e\\+06 GB, far more than images of its size: not unpacked"),
        ("good.zip", "0" * 64, "its SHA-256 is not 0000"),
        ("none.zip", None, r"cannot be downloaded from .*: put the folder at .*tiny, or set data\.root=PATH"),
    ):
        with pytest.raises(InputError, match=said) as error:
            fetch(tiny(f"{address}/{name}", sha256=sha256))
        assert "\n" not in str(error.value)
        assert listed(cache) == []


def test_a_connection_cut_short_leaves_only_the_part_to_resume(cache):
    class Cut(SimpleHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"PK" * 1000)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Cut)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch(tiny(f"http://127.0.0.1:{server.server_port}/a.zip"))
    assert sorted(name.split(".zip")[1] for name in listed(cache)) == [".part", ".part.json"]
    server.shutdown()
    server.server_close()


def test_offline_says_what_to_put_where(cache):
    with pytest.raises(
        InputError, match=r"tiny: cannot be downloaded .* put the folder at .*cache/tiny, or set"
    ):
        fetch(tiny("http://127.0.0.1:9/a.zip"))
    with pytest.raises(
        InputError, match=r"mdck_zo1: cannot be downloaded: create it from https.* in .*mdck_zo1"
    ):
        fetch(named("mdck_zo1"))


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot write here .* set FINETUNE_CACHE"):
        fetch(named("sample"))


def test_unknown_names():
    with pytest.raises(InputError, match="did you mean dsb2018"):
        named("dsb2008")


def test_the_sample_is_cut_into_regions_that_do_not_overlap(cache):
    root = fetch(named("sample"))
    assert listed(cache) == ["sample"]
    pairs = find_pairs(root)
    assert [pair.split for pair in pairs] == ["train"] * 2 + ["validation"] + ["test"] * 4
    files = check_data(pairs, "instances", "instances", "auto", root)[0]
    assert sum(file.shape[1] * file.shape[2] for file in files) == 512 * 512
    assert all(file.instances >= 5 for file in files)
    assert is_published(DATASETS["sample"], files)
    assert is_published(DATASETS["sample"], files[1:]) is False


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dsb2018", "mdck_zo1"])
def test_real_data_are_the_published_ones(name):
    variable = f"FINETUNE_{name.upper()}"
    if variable not in os.environ:
        pytest.skip(f"{variable} does not say where {name} is")
    assert is_published(DATASETS[name], files_of(Path(os.environ[variable]), DATASETS[name].labels))
