import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from cards.errors import InputError
from finetune.data.pairs import find_pairs
from finetune.data.splits import assign_splits


def put(path: Path, pages: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((pages, 8, 8) if pages > 1 else (8, 8), np.uint8)
    tifffile.imwrite(path, pixels, photometric="minisblack")
    return path


def folders(root: Path, *names: str) -> Path:
    for name in names:
        put(root / "images" / f"{name}.tif")
        put(root / "masks" / f"{name}.tif")
    return root


def names(pairs):
    return [pair.name for pair in pairs]


def test_folders_in_natural_order_without_strangers(tmp_path):
    folders(tmp_path, "a10", "a2", "a1")
    (tmp_path / "images" / "README.md").touch()
    (tmp_path / "images" / ".DS_Store").touch()
    (tmp_path / "masks" / "._a1.tif").touch()
    pairs = find_pairs(tmp_path)
    assert names(pairs) == ["a1", "a2", "a10"]
    assert all(pair.image.parent.name == "images" and pair.label.parent.name == "masks" for pair in pairs)
    assert {pair.split for pair in pairs} == {None}


def test_split_folders(tmp_path):
    for split in ("train", "val", "test"):
        folders(tmp_path / split, "0", "1")
    pairs = find_pairs(tmp_path)
    assert [pair.split for pair in pairs] == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    assert names(pairs) == ["0", "1"] * 3


def test_suffix(tmp_path):
    for name in ("a.tif", "a_masks.tif", "b.ome.tif", "b_masks.tif"):
        put(tmp_path / "train" / name)
    pairs = find_pairs(tmp_path)
    assert [(p.image.name, p.label.name, p.split) for p in pairs] == [
        ("a.tif", "a_masks.tif", "train"),
        ("b.ome.tif", "b_masks.tif", "train"),
    ]


def test_csv_with_and_without_split(tmp_path):
    put(tmp_path / "raw" / "x.tif"), put(tmp_path / "raw" / "y.tif"), put(tmp_path / "m.tif")
    table = tmp_path / "pairs.csv"
    table.write_text("image,label,split,well\nraw/x.tif,m.tif,test,A1\nraw/y.tif,m.tif,,A2\n")
    pairs = find_pairs(tmp_path, csv=table)
    assert [(p.name, p.split) for p in pairs] == [("x", "test"), ("y", None)]
    assert pairs == find_pairs(tmp_path, layout="csv", csv="pairs.csv")
    table.write_text("image,label\nraw/x.tif,m.tif\n")
    assert find_pairs(tmp_path, csv=table)[0].split is None


def test_csv_names_from_folders_where_files_share_a_name(tmp_path):
    put(tmp_path / "A1" / "i.tif"), put(tmp_path / "A2" / "i.tif"), put(tmp_path / "m.tif")
    (tmp_path / "p.csv").write_text("image,label\nA1/i.tif,m.tif\nA2/i.tif,m.tif\n")
    assert names(find_pairs(tmp_path, csv="p.csv")) == ["A1/i", "A2/i"]


def test_a_stack_pairs_page_by_page_and_channels_do_not(tmp_path):
    put(tmp_path / "images" / "s.tif", pages=3), put(tmp_path / "masks" / "s.tif", pages=3)
    put(tmp_path / "images" / "c.tif", pages=3), put(tmp_path / "masks" / "c.tif")
    assert [(p.name, p.page) for p in find_pairs(tmp_path)] == [
        ("c", None),
        ("s#0", 0),
        ("s#1", 1),
        ("s#2", 2),
    ]
    put(tmp_path / "images" / "s.tif", pages=2)
    with pytest.raises(InputError, match=r"s\.tif: holds 3 pages, but its image s\.tif holds 2"):
        find_pairs(tmp_path)


def test_what_cannot_be_paired_is_named(tmp_path):
    root = folders(tmp_path / "data", *(f"n{i}" for i in range(6)))
    for name in ("n1", "n2", "n3", "n4"):
        (root / "masks" / f"{name}.tif").unlink()
    with pytest.raises(InputError, match=r"4 of 6 images have no mask: n1\.tif, n2\.tif, n3\.tif, …"):
        find_pairs(root)
    for name in ("n1", "n2", "n3", "n4", "n5"):
        (root / "images" / f"{name}.tif").unlink()
    with pytest.raises(InputError, match=r"1 of 2 masks have no image: n5\.tif"):
        find_pairs(root)
    shutil.copy(root / "images" / "n0.tif", root / "images" / "n0.tiff")
    with pytest.raises(InputError, match=r"n0\.tif and n0\.tiff have the same name"):
        find_pairs(root)


def test_images_of_other_formats_and_in_folders_of_their_own_are_named(tmp_path):
    root = folders(tmp_path / "data", "a", "b")
    (root / "images" / "b.tif").rename(root / "images" / "b.BMP")
    with pytest.raises(InputError, match=r"no image: b\.tif; b\.BMP cannot be read: save the images as TIFF"):
        find_pairs(root)
    for folder, ending in (("images", ".bmp"), ("masks", ".png")):
        for path in (root / folder).iterdir():
            path.rename(path.with_suffix(ending))
    (root / "masks" / "a.png").unlink(), (root / "masks" / "b.png").unlink()
    with pytest.raises(
        InputError, match=r"holds no images, but files of other formats: a\.bmp, b\.bmp; save"
    ):
        find_pairs(root)
    with pytest.raises(
        InputError, match=r"holds no images, but files of other formats: a\.bmp, b\.bmp; save"
    ):
        find_pairs(root / "images")
    plates = tmp_path / "plates"
    put(plates / "images" / "plate1" / "a.tif"), put(plates / "masks" / "plate1" / "a.tif")
    with pytest.raises(InputError, match=r"holds no images, but folders: images/plate1/; move the images"):
        find_pairs(plates)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_tables_of_other_spreadsheets(tmp_path, delimiter):
    put(tmp_path / "raw" / "x.tif"), put(tmp_path / "m.tif")
    rows = ["Image", "label ", "split"], ["raw\\x.tif", "m.tif", "test"]
    (tmp_path / "p.csv").write_text("\r\n".join(delimiter.join(row) for row in rows), "utf-8-sig")
    (pair,) = find_pairs(tmp_path, csv="p.csv")
    assert (pair.name, pair.image, pair.split) == ("x", tmp_path / "raw" / "x.tif", "test")


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such folder: give the folder"):
        find_pairs(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no images"):
        find_pairs(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="holds images/ but no masks/"):
        find_pairs(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        find_pairs(tmp_path)
    put(tmp_path / "other" / "a.tif")
    with pytest.raises(InputError, match="holds 1 image, but neither"):
        find_pairs(tmp_path / "other")
    with pytest.raises(InputError, match=r"data\.layout is folders"):
        find_pairs(tmp_path / "other", layout="folders")
    with pytest.raises(InputError, match=r"1 of 1 images have no mask: a\.tif"):
        find_pairs(tmp_path / "other", layout="suffix")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture,label\n", "line 1: no column image:"),
        ("image,label\n", "holds no rows"),
        ("image,label\ni.tif,i.tif\nnone.tif,i.tif\n", "line 3: no such file: none.tif"),
        ("image,label\ni.tif,\n", "line 2: the column label is empty"),
        ("image,label\ni.tif\n", "line 2: the column label is empty"),
        ("image,label,split\ni.tif,i.tif,tset\n", "line 2: split is 'tset'"),
        ("image,label\ni.tif,i.tif\ni.tif,i.tif\n", "line 3: the image i was already given in line 2"),
    ],
)
def test_a_wrong_csv_is_told_by_line(tmp_path, text, said):
    put(tmp_path / "i.tif")
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        find_pairs(tmp_path, csv="p.csv")


def test_csv_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no such file: set data\.csv"):
        find_pairs(tmp_path, csv="p.csv")
    with pytest.raises(InputError, match=r"data\.csv is not set"):
        find_pairs(tmp_path, layout="csv")


def pairs_of(root: Path, count: int, split=None):
    from finetune.data.pairs import Pair

    return [Pair(root / f"{i}.tif", root / f"{i}_masks.tif", str(i), split) for i in range(count)]


def sizes(pairs):
    return [sum(pair.split == split for pair in pairs) for split in ("train", "validation", "test")]


@given(st.integers(1, 200), st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 5))
def test_every_image_has_one_split_wherever_it_lies(count, validation, test, seed):
    here, words = assign_splits(pairs_of(Path("/a"), count), validation, test, seed)
    there, _ = assign_splits(pairs_of(Path("/b/c"), count)[::-1], validation, test, seed)
    assert {p.name: p.split for p in here} == {p.name: p.split for p in there}
    assert names(here) == [str(i) for i in range(count)]
    train, *others = sizes(here)
    assert train >= 1
    for number, fraction in zip(others, (validation, test), strict=True):
        assert abs(number - fraction * count) <= 1
        assert fraction or not number
    if count > 2:
        assert all(number for number, fraction in zip(others, (validation, test), strict=True) if fraction)


def test_given_splits_stand_and_the_rest_is_drawn_from_train(tmp_path):
    given_test = pairs_of(tmp_path, 5, "test")
    pairs, words = assign_splits(pairs_of(tmp_path, 20, "train") + given_test, 0.1, 0.5, seed=3)
    assert sizes(pairs) == [18, 2, 5]
    assert pairs[20:] == given_test
    assert words == (
        "train: provided with the data set; validation: 10% of train (2 of 20 images), seed 3; "
        "test: provided with the data set"
    )


def test_another_seed_draws_others_and_validation_leaves_the_test_alone(tmp_path):
    def drawn(split, **options):
        return {p.name for p in assign_splits(pairs_of(tmp_path, 50), **options)[0] if p.split == split}

    assert drawn("test", seed=0) != drawn("test", seed=1)
    assert drawn("test", validation=0.1) == drawn("test", validation=0.3)


def test_the_pages_of_a_stack_stay_together(tmp_path):
    from finetune.data.pairs import Pair

    stacks = [
        Pair(tmp_path / f"{s}.tif", tmp_path / f"{s}.tif", f"{s}#{page}", None, page)
        for s in range(10)
        for page in range(4)
    ]
    pairs, _ = assign_splits(stacks, 0.2, 0.2)
    assert sizes(pairs) == [24, 8, 8]
    for s in range(10):
        assert len({p.split for p in pairs if p.name.startswith(f"{s}#")}) == 1
    pairs, _ = assign_splits(stacks[:4], 0.25, 0.25)
    assert sizes(pairs) == [2, 1, 1]


def test_nothing_left_to_train_on(tmp_path):
    with pytest.raises(InputError, match="none of 4 images is left to train on"):
        assign_splits(pairs_of(tmp_path, 4, "test"))
    assert sizes(assign_splits(pairs_of(tmp_path, 4), 0.5, 0.5)[0])[0] == 1  # one is always left
    with pytest.raises(InputError, match=r"data\.test is 1\.5"):
        assign_splits(pairs_of(tmp_path, 4), test=1.5)


def test_images_of_one_field_stay_together(tmp_path):
    pairs = pairs_of(tmp_path, 60)
    fields = [index // 4 for index in range(60)]
    assigned, words = assign_splits(pairs, 0.2, 0.2, seed=1, fields=fields)
    assert sizes(assigned) == [36, 12, 12]
    splits = {}
    for pair, field in zip(assigned, fields, strict=True):
        assert splits.setdefault(field, pair.split) == pair.split
    assert "validation: 20% of train (12 of 60 images in 3 whole fields of view), seed 1" in words
    shuffled = [(pair, field) for pair, field in zip(pairs, fields, strict=True)][::-1]
    again, _ = assign_splits([p for p, _ in shuffled], 0.2, 0.2, seed=1, fields=[f for _, f in shuffled])
    assert again[::-1] == assigned  # the draw depends on names, not on the order


def test_a_field_with_a_provided_test_image_is_not_drawn_for_validation(tmp_path):
    pairs = pairs_of(tmp_path, 20, "train") + pairs_of(tmp_path / "test", 5, "test")
    fields = [*range(20), *range(5)]  # each test image is adjacent to one of the first train images
    assigned, words = assign_splits(pairs, 0.5, 0.1, fields=fields)
    drawn = [index for index, pair in enumerate(assigned) if pair.split == "validation"]
    assert len(drawn) == 10
    assert min(drawn) >= 5
    assert words.startswith("train: provided with the data set; validation: 50% of train (10 of 20 images")


def test_a_single_field_is_not_divided(tmp_path):
    assigned, words = assign_splits(pairs_of(tmp_path, 8), 0.2, 0.2, fields=[0] * 8)
    assert sizes(assigned) == [8, 0, 0]
    assert words == "train: the rest; validation: none; test: none"


def test_missing_masks_below_a_folder_with_a_percent_sign_are_named(tmp_path):
    folders(tmp_path / "50% dilution", "a", "b")
    (tmp_path / "50% dilution" / "masks" / "b.tif").unlink()
    with pytest.raises(InputError, match="50% dilution.*: 1 of 2 images have no mask: b.tif"):
        find_pairs(tmp_path / "50% dilution")
