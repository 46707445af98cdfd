"""Microscope formats: pixels and axes as written, planes never taken for channels, and clear refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cards.errors import DataError
from finetune.data.formats.ome_zarr import labels_of
from finetune.data.headers import Header, read_header
from finetune.data.images import page_count, read_image, read_labels
from finetune.data.inspection import check_data
from finetune.data.layouts import unread
from finetune.data.pairs import find_pairs

pytest.importorskip("zarr")
from microscope_files import write_czi, write_lif, write_nd2, write_ome_zarr

RNG = np.random.default_rng(0)
TWO = RNG.integers(0, 4000, (2, 40, 56), dtype=np.uint16)
STACK = RNG.integers(0, 4000, (3, 2, 40, 56), dtype=np.uint16)  # z, c, y, x


def write(folder: Path, kind: str, stack: bool = False) -> Path:
    """Write two channels, or a z-stack of 3 planes of two channels."""
    pixels = STACK if stack else TWO[np.newaxis]
    path = folder / f"a.{kind}"
    if kind == "czi":
        write_czi(path, {(c, z): plane for z, planes in enumerate(pixels) for c, plane in enumerate(planes)})
    elif kind == "lif":
        write_lif(path, {"one": pixels if stack else TWO}, "ZCYX" if stack else "CYX")
    elif kind == "nd2":
        write_nd2(path, pixels)
    else:
        version = {"ome.zarr": "0.5", "zarr": "0.4"}[kind]
        write_ome_zarr(path, pixels if stack else TWO, "zcyx" if stack else "cyx", version=version)
    return path


KINDS = ("czi", "nd2", "lif", "ome.zarr", "zarr")


@pytest.mark.parametrize("kind", KINDS)
def test_channels_come_as_they_were_written_and_the_header_agrees(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    image = read_image(path)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, TWO)
    assert read_header(path) == Header(2, 40, 56, "uint16")
    assert page_count(path) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_planes_of_a_stack_are_pages_and_never_channels(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, stack=True)
    assert page_count(path) == 3
    for page in range(3):
        np.testing.assert_array_equal(read_image(path, page), STACK[page])
    for read in (read_image, read_header):
        with pytest.raises(DataError, match=r"holds 3 planes \(axes .*\), a z-stack, where one 2D image"):
            read(path)
    with pytest.raises(DataError, match="has no page 3: it holds 3"):
        read_image(path, 3)


@pytest.mark.parametrize("kind", ["czi", "nd2", "lif"])
def test_a_file_cut_short_is_one_line_and_no_black_pixels(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, stack=True)
    content = path.read_bytes()
    for keep in (0.9, 0.5, 0.1):
        path.write_bytes(content[: int(len(content) * keep)])
        with pytest.raises(DataError) as caught:
            read_image(path, 2)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_missing_planes_of_a_czi_are_refused(tmp_path: Path) -> None:
    planes = {(c, z): TWO[c] for c in range(2) for z in range(3) if (c, z) != (1, 1)}
    write_czi(tmp_path / "a.czi", planes)
    with pytest.raises(DataError, match="describes 6 planes, but the file holds 5"):
        read_image(tmp_path / "a.czi", 0)


def test_colors_of_a_czi_are_red_green_blue(tmp_path: Path) -> None:
    blue_first = RNG.integers(0, 255, (40, 56, 3), dtype=np.uint8)
    write_czi(tmp_path / "a.czi", {(0, 0): blue_first})
    np.testing.assert_array_equal(read_image(tmp_path / "a.czi"), np.moveaxis(blue_first[..., ::-1], -1, 0))
    assert read_header(tmp_path / "a.czi") == Header(3, 40, 56, "uint8")


def test_images_of_a_lif_are_pages_unless_they_differ(tmp_path: Path) -> None:
    path = tmp_path / "a.lif"
    write_lif(path, {"one": STACK[0], "two": STACK[1]}, "CYX")
    assert page_count(path) == 2
    np.testing.assert_array_equal(read_image(path, 1), STACK[1])
    write_lif(path, {"one": STACK[0], "two": STACK[1, :, :30]}, "CYX")
    with pytest.raises(DataError, match=r"images that differ in size or type .*: save each to its own file"):
        read_image(path, 0)


def test_an_absurd_shape_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "a.zarr", TWO, "cyx")
    metadata = tmp_path / "a.zarr" / "0" / "zarr.json"
    content = json.loads(metadata.read_text())
    content["shape"] = [2, 10**7, 10**7]
    metadata.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"a\.zarr: its header declares 10,000,000 × 10,000,000 pixels"):
        read_image(tmp_path / "a.zarr")


def test_a_zarr_folder_that_is_no_image_is_refused(tmp_path: Path) -> None:
    import zarr

    zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(DataError, match="is a Zarr group, but no OME-Zarr image"):
        read_image(tmp_path / "a.zarr")
    write_ome_zarr(tmp_path / "b.zarr", TWO, "cyx")
    for chunk in (tmp_path / "b.zarr" / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    with pytest.raises(DataError, match="holds no pixels"):
        read_image(tmp_path / "b.zarr")


def test_an_array_in_a_zarr_folder_is_no_damaged_image(tmp_path: Path) -> None:
    image = write(tmp_path, "zarr")
    with pytest.raises(DataError, match="is an array of an OME-Zarr image: name the folder of the image"):
        read_image(image / "0")


def test_labels_inside_an_ome_zarr_image_are_found_and_nothing_in_it_is_unread(tmp_path: Path) -> None:
    labels = np.zeros((40, 56), np.uint16)
    labels[5:15, 5:15], labels[20:30, 20:30] = 1, 2
    (tmp_path / "images").mkdir()
    for index in range(4):
        write_ome_zarr(tmp_path / "images" / f"{index}.ome.zarr", TWO + index, "cyx", labels)
    pairs = find_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(read_labels(pairs[0].label), labels)
    assert not unread(tmp_path, [path for pair in pairs for path in (pair.image, pair.label)])
    train = [replace(pair, split="train") for pair in pairs]
    files, _ = check_data(train, "instances", "instances", "auto", tmp_path)
    assert [file.instances for file in files] == [2, 2, 2, 2]
    assert files[0].label == "images/0.ome.zarr/labels/cells"
    assert len({file.image_sha256 for file in files}) == 4


def test_a_label_image_outside_its_zarr_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_ome_zarr(tmp_path / "images" / "a.zarr", TWO, "cyx", np.ones((40, 56), np.uint8))
    metadata = tmp_path / "images" / "a.zarr" / "labels" / "zarr.json"
    content = json.loads(metadata.read_text())
    content["attributes"]["ome"]["labels"] = ["../../../secret"]
    metadata.write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=r"lists the label image \.\./\.\./\.\./secret, which is not in labels/"
    ):
        find_pairs(tmp_path)


@pytest.mark.parametrize("kind", ["czi", "nd2", "lif", "zarr"])
def test_a_missing_package_is_one_line_that_names_the_extra(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "absent = {'pylibCZIrw', 'nd2', 'liffile', 'zarr'}\n"
        "u.find_spec = lambda name, *rest: None if name in absent else find(name, *rest)\n"
        "from finetune.data.images import read_image\n"
        f"try: read_image({str(path)!r})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("InputError") and len(printed.splitlines()) == 1
    assert 'pip install ".[formats]"' in printed


def test_a_folder_of_labels_without_metadata_holds_no_labels(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "a.zarr", TWO, "cyx")
    (tmp_path / "a.zarr" / "labels").mkdir()
    assert labels_of(tmp_path / "a.zarr") is None
