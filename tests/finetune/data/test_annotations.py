"""Label images from annotation files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cards.errors import DataError
from finetune.data.annotations.registry import label_files, read_pair_labels, sha256_source
from finetune.data.pairs import find_pairs


def image(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(root / "a.tif", np.zeros((8, 10), np.uint8))
    return root


def labels(root: Path) -> np.ndarray:
    (pair,) = find_pairs(root)
    return read_pair_labels(pair.image, pair.label, pair.page)


def square(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def test_one_mask_per_object_is_merged(tmp_path: Path) -> None:
    image(tmp_path / "a" / "images")
    folder = tmp_path / "a" / "masks"
    folder.mkdir()
    for name, row in (("x", 1), ("y", 4)):
        mask = np.zeros((8, 10), np.uint8)
        mask[row : row + 2, 2:5] = 255
        Image.fromarray(mask).save(folder / f"{name}.png")
    merged = labels(tmp_path)
    assert (merged[1:3, 2:5] == 1).all() and (merged[4:6, 2:5] == 2).all() and (merged > 0).sum() == 12
    before = sha256_source(folder)
    assert [path.name for path in label_files(folder)] == ["x.png", "y.png"]
    (folder / "y.png").unlink()
    assert sha256_source(folder) != before
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "z.png")
    with pytest.raises(DataError, match=r"z\.png: is 4 × 4 but x\.png is 8 × 10 pixels"):
        labels(tmp_path)


def test_masks_of_cellpose_are_read(tmp_path: Path) -> None:
    mask = np.arange(80, dtype=np.uint16).reshape(8, 10)
    content = {
        "masks": mask,
        "diameter": np.float32(3),
        "filename": "a.tif",
        "flows": [mask, None],
        "ismanual": [True],
    }
    np.save(image(tmp_path) / "a_seg.npy", content)  # type: ignore[arg-type]
    np.testing.assert_array_equal(labels(tmp_path), mask)


class Attack:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("attacked",)


def test_code_in_a_file_of_cellpose_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(image(tmp_path) / "a_seg.npy", {"masks": Attack()})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"a_seg\.npy: contains \w+\.mkdir, which is not loaded"):
        labels(tmp_path)
    assert not Path("attacked").exists()
    (tmp_path / "a_seg.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="cannot be read as _seg.npy"):
        labels(tmp_path)


def test_regions_of_imagej_are_drawn(tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile")
    outline = roifile.ImagejRoi.frompoints(square(1, 1, 4, 3))
    oval = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.OVAL, left=5, top=2, right=9, bottom=6)
    rectangle = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, left=0, top=6, right=3, bottom=8)
    roifile.roiwrite(image(tmp_path) / "a_RoiSet.zip", [outline, oval, rectangle])
    drawn = labels(tmp_path)
    assert (drawn[1:3, 1:4] == 1).all() and (drawn == 1).sum() == 6
    assert drawn[3, 6] == 2 and drawn[2, 5] == 0 and (drawn == 2).sum() == 12
    assert (drawn[6:8, 0:3] == 3).all() and (drawn == 3).sum() == 6


def test_polygons_of_qupath_are_drawn_with_holes(tmp_path: Path) -> None:
    shapes = [
        {"type": "Polygon", "coordinates": [square(1, 1, 6, 6), square(3, 3, 4, 4)]},
        {"type": "MultiPolygon", "coordinates": [[square(7, 0, 8, 1)], [square(9, 0, 10, 1)]]},
    ]
    features = [{"type": "Feature", "properties": {}, "geometry": shape} for shape in shapes]
    file = image(tmp_path) / "a.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    drawn = labels(tmp_path)
    assert (drawn == 1).sum() == 24 and drawn[3, 3] == 0
    assert drawn[0, 7] == drawn[0, 9] == 2 and drawn[0, 8] == 0
    file.write_text(json.dumps({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}}))
    with pytest.raises(DataError, match="feature 1 is a Point: only"):
        labels(tmp_path)


def test_objects_of_a_coco_file_are_drawn(tmp_path: Path) -> None:
    image(tmp_path / "images")
    counts = {"counts": [8, 2, 70], "size": [8, 10]}
    objects = [[[1, 1, 4, 1, 4, 3, 1, 3]], counts]
    content = {
        "images": [{"id": 7, "file_name": "images/a.tif"}],
        "annotations": [{"image_id": 7, "segmentation": item} for item in objects],
    }
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content))
    drawn = labels(tmp_path)
    assert (drawn[1:3, 2:4] == 1).all() and (drawn[0:2, 1] == 2).all() and drawn[2, 1] == 1
    content["annotations"][0]["segmentation"] = {"counts": "abc", "size": [8, 10]}
    file.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"object 1 of a\.tif has no polygon or uncompressed RLE"):
        labels(tmp_path)
