"""Headers tell size, channels and type as they are read, without the pixels."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cards.errors import DataError
from finetune.data.headers import read_header
from finetune.data.images import read_image

GRAY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
RGB = np.stack([GRAY] * 3, -1)


@pytest.mark.parametrize(
    "name",
    ["gray.png", "rgb.png", "rgba.png", "palette.png", "gray_alpha.png", "gray16.png", "gray.jpg", "rgb.jpg"],
)
def test_png_and_jpeg(tmp_path: Path, name: str) -> None:
    picture = Image.fromarray(RGB)
    modes = {"gray": "L", "rgba": "RGBA", "palette": "P", "gray_alpha": "LA"}
    stem = name.split(".")[0]
    if stem == "gray16":
        picture = Image.fromarray(GRAY.astype(np.uint16))
    elif stem in modes:
        picture = picture.convert(modes[stem])
    picture.save(tmp_path / name)
    check(tmp_path / name)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (GRAY, {}),
        (GRAY.astype(np.float32), {"compression": "zlib"}),
        (RGB, {"photometric": "rgb"}),
        (np.stack([GRAY] * 4, -1), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        (np.stack([GRAY] * 2, -1), {}),
        (np.stack([GRAY] * 3), {"photometric": "minisblack"}),
        (np.stack([GRAY] * 2), {"imagej": True, "metadata": {"axes": "CYX"}}),
        (np.stack([GRAY] * 5), {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"}),
    ],
)
def test_tiff(tmp_path: Path, pixels: np.ndarray, options: dict) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    check(tmp_path / "a.tif")


def check(path: Path) -> None:
    header, image = read_header(path), read_image(path)
    assert header[:3] == image.shape
    assert header.dtype == str(image.dtype)


def test_a_header_that_declares_more_than_the_memory_holds_is_refused(tmp_path: Path) -> None:
    tags = [(256, 4, 4_000_000), (257, 4, 4_000_000), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, 4_000_000), (279, 4, 4_000)]
    content = struct.pack("<2sHI", b"II", 42, 24) + bytes(16) + struct.pack("<H", len(tags))
    content += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    (tmp_path / "bomb.tif").write_bytes(content + bytes(4))
    with pytest.raises(DataError, match=r"bomb\.tif: its header declares 4,000,000 × 4,000,000 pixels"):
        read_header(tmp_path / "bomb.tif")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n", b"II*\0", b"\xff\xd8\xff\xe0"])
def test_a_damaged_header_is_one_line_with_the_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.tif: ") as error:
        read_header(tmp_path / "a.tif")
    assert "\n" not in str(error.value)
