"""Label images from annotation files."""

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cards.errors import DataError
from finetune.data.annotations.coco import coco_of, read_coco
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
    with pytest.raises(DataError, match=r"object 1 of a\.tif has no polygon or RLE"):
        labels(tmp_path)


# Compressed by pycocotools 2.0.11: encode(np.asfortranarray(mask)) of the mask in the test.
COMPRESSED = "a053MN0230000?LE"


def test_compressed_masks_of_coco_are_drawn(tmp_path: Path) -> None:
    image(tmp_path / "images")
    mask = np.zeros((8, 10), bool)
    mask[1:6, 2:7] = mask[0, 9] = True
    mask[3, 3] = False
    item = {"image_id": 1, "segmentation": {"counts": COMPRESSED, "size": [8, 10]}}
    content = {"images": [{"id": 1, "file_name": "a.tif"}], "annotations": [item]}
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content))
    np.testing.assert_array_equal(labels(tmp_path), mask)
    for counts in (COMPRESSED[:-1], COMPRESSED + "9" * 9, "P" * 40, [10**12], [81, -1]):
        item["segmentation"]["counts"] = counts
        file.write_text(json.dumps(content))
        with pytest.raises(DataError, match=r"object 1 of a\.tif has no polygon or RLE of 8 × 10 pixels"):
            labels(tmp_path)


def test_coco_images_of_the_same_name_are_told_apart_by_their_folder(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": name} for number, name in enumerate(["w1/a.tif", "w2\\a.tif"])]
    annotations = [{"image_id": number, "segmentation": [[0, 0, 1 + number, 0, 0, 3]]} for number in range(2)]
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    sizes = []
    for well in ("w1", "w2"):
        path = tmp_path / well / "a.tif"
        assert coco_of(path, [tmp_path]) == file
        sizes.append(int((read_coco(file, path, (8, 10)) > 0).sum()))
    assert sizes[0] < sizes[1]
    with pytest.raises(DataError, match=r"lists several images named a\.tif \(w1/a\.tif, w2/a\.tif\)"):
        coco_of(tmp_path / "images" / "a.tif", [tmp_path])


def test_composite_regions_of_imagej_keep_their_holes(tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile")
    outer, inner = ([(1, 1), (6, 1), (6, 6), (1, 6)], [(3, 3), (5, 3), (5, 5), (3, 5)])
    path: list[float] = []
    for ring in (outer, inner):
        path += [0, *ring[0], *(value for point in ring[1:] for value in (1, *point)), 4]
    region = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, left=1, top=1, right=6, bottom=6)
    region.multi_coordinates = np.array(path, np.float32)
    region.shape_roi_size = len(path)
    roifile.roiwrite(image(tmp_path) / "a_RoiSet.zip", [region])
    drawn = labels(tmp_path)
    assert (drawn == 1).sum() == 25 - 4 and (drawn[3:5, 3:5] == 0).all()


def test_regions_of_several_planes_are_refused(tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile")
    regions = [roifile.ImagejRoi.frompoints(square(1, 1, 4, 3)) for _ in range(3)]
    for region in regions:
        region.position = 4
    roifile.roiwrite(image(tmp_path) / "a_RoiSet.zip", regions)
    assert labels(tmp_path).any()
    for number, region in enumerate(regions):
        region.position = number
    (tmp_path / "a_RoiSet.zip").unlink()
    roifile.roiwrite(tmp_path / "a_RoiSet.zip", regions)
    with pytest.raises(DataError, match=r"its regions lie on 2 planes of a stack \(slice 1, 2\): save image"):
        labels(tmp_path)


def test_names_of_coco_are_compared_as_text_not_as_bytes(tmp_path: Path) -> None:
    images = [{"id": 0, "file_name": unicodedata.normalize("NFC", "Zürich.tif")}]
    annotations = [{"image_id": 0, "segmentation": [[0, 0, 3, 0, 0, 3]]}]
    (tmp_path / "all.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    path = tmp_path / unicodedata.normalize("NFD", "Zürich.tif")
    assert coco_of(path, [tmp_path]) == tmp_path / "all.json"
    assert read_coco(tmp_path / "all.json", path, (8, 10)).any()


def at_twice_the_size() -> list[list[list[int]]]:
    """Four squares, drawn on an image of 16 × 20 pixels; two lie outside of one of 8 × 10."""
    return [square(0, 0, 4, 4), square(4, 4, 8, 8), square(12, 2, 18, 8), square(2, 10, 8, 15)]


def test_outlines_of_qupath_for_another_size_are_refused(tmp_path: Path) -> None:
    image(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    features = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
        for ring in at_twice_the_size()
    ]
    (tmp_path / "masks" / "a.geojson").write_text(json.dumps(features))
    with pytest.raises(DataError, match=r"a.geojson: 2 of 4 objects cover no pixel of the image \(8 × 10, "):
        labels(tmp_path)


def test_outlines_of_imagej_for_another_size_are_refused(tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile")
    image(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    regions = [
        roifile.ImagejRoi.frompoints(np.array(ring[:-1]), name=str(i))
        for i, ring in enumerate(at_twice_the_size())
    ]
    roifile.roiwrite(tmp_path / "masks" / "a_RoiSet.zip", regions)
    with pytest.raises(DataError, match="a_RoiSet.zip: 2 of 4 objects cover no pixel of the image"):
        labels(tmp_path)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (
            {"height": 16, "width": 20},
            r"states 16 × 20 pixels \(height × width\) for a.tif, which has 8 × 10",
        ),
        ({}, "2 of 4 objects of a.tif cover no pixel of the image"),
    ],
)
def test_a_coco_file_for_another_size_is_refused(tmp_path: Path, size: dict[str, int], message: str) -> None:
    image(tmp_path)
    content = {
        "images": [{"id": 1, "file_name": "a.tif"} | size],
        "annotations": [
            {"image_id": 1, "segmentation": [np.ravel(ring).tolist()]} for ring in at_twice_the_size()
        ],
    }
    (tmp_path / "all.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_coco(tmp_path / "all.json", tmp_path / "a.tif", (8, 10))
