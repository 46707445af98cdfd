import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from cards.errors import InputError
from finetune.data.channels import select_channels
from finetune.data.images import page_count, read_image, read_labels
from finetune.data.labels import convert

GRAY = np.arange(30 * 40).reshape(30, 40)
STACK = np.arange(3 * 30 * 40).reshape(3, 30, 40)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">u2"])
def test_a_gray_tiff_keeps_its_values_and_type(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", GRAY.astype(dtype), compression="zlib")
    image = read_image(tmp_path / "a.tif")
    assert image.shape == (1, 30, 40)
    assert image.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(image[0], GRAY.astype(dtype))


@pytest.mark.parametrize("dtype", ["int16", "uint32", "float64"])
def test_other_types_become_float32(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", GRAY.astype(dtype))
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == np.float32
    assert np.array_equal(image[0], GRAY)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_transparency_of_8_bits_is_dropped_and_a_fourth_channel_of_16_bits_is_not(tmp_path, dtype, alpha):
    import imagecodecs

    rgb = np.random.default_rng(0).integers(0, 200, (30, 40, 3 + alpha)).astype(dtype)
    extra = {"extrasamples": ["unassalpha"]} if alpha else {}
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", **extra)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb))
    for name in ("a.tif", "a.png"):
        image = read_image(tmp_path / name)
        assert image.dtype == dtype
        kept = 3 + (alpha and name == "a.tif" and dtype == np.uint16)  # a fourth channel that tifffile tags
        assert np.array_equal(image, np.moveaxis(rgb[..., :kept], -1, 0))


def test_jpeg_gray_and_rgb(tmp_path):
    Image.fromarray(np.full((30, 40), 90, np.uint8)).save(tmp_path / "gray.jpg")
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(tmp_path / "rgb.jpg")
    assert read_image(tmp_path / "gray.jpg").shape == (1, 30, 40)
    assert read_image(tmp_path / "rgb.jpg").shape == (3, 30, 40)


def test_ome_channels_are_channels_and_time_is_pages(tmp_path):
    movie = np.arange(4 * 2 * 30 * 40, dtype=np.uint16).reshape(4, 2, 30, 40)
    tifffile.imwrite(tmp_path / "a.ome.tif", movie, metadata={"axes": "TCYX"})
    assert page_count(tmp_path / "a.ome.tif") == 4
    assert np.array_equal(read_image(tmp_path / "a.ome.tif", 2), movie[2])


def test_pages_behind_channels_are_found_too(tmp_path):
    movie = np.arange(2 * 4 * 30 * 40, dtype=np.uint16).reshape(2, 4, 30, 40)
    tifffile.imwrite(tmp_path / "a.ome.tif", movie, metadata={"axes": "CTYX"})
    assert np.array_equal(read_image(tmp_path / "a.ome.tif", 3), movie[:, 3])


def test_pages_without_a_name_are_channels_unless_one_is_asked_for(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK.astype(np.uint16), photometric="minisblack")
    assert page_count(tmp_path / "a.tif") == 3
    assert np.array_equal(read_image(tmp_path / "a.tif"), STACK)
    assert np.array_equal(read_image(tmp_path / "a.tif", 1), STACK[1:2])


def test_images_written_one_by_one_are_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for plane in STACK.astype(np.uint16):
            file.write(plane, contiguous=False)
    assert page_count(tmp_path / "a.tif") == 3
    assert np.array_equal(read_image(tmp_path / "a.tif", 2), STACK[2:])


def test_a_z_stack_is_not_an_image(tmp_path):
    tifffile.imwrite(tmp_path / "z.tif", STACK.astype(np.uint16), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(InputError, match=r"z\.tif: holds 3 planes \(axes ZYX\)"):
        read_image(tmp_path / "z.tif")
    with pytest.raises(InputError, match=r"z\.tif: has no page 3"):
        read_image(tmp_path / "z.tif", 3)


def test_images_of_several_sizes_in_one_file_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(STACK[0].astype(np.uint16))
        file.write(STACK[0, :20].astype(np.uint16))
    with pytest.raises(InputError, match="differ in size"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["tif", "png", "jpg"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_file_cut_short_is_refused_by_name(tmp_path, ending, kept):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    path = tmp_path / f"a.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, noise, compression="zlib")
    else:
        Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputError, match=rf"a\.{ending}: cannot be read"):
        read_image(path)


def test_what_is_no_image_is_refused_by_name(tmp_path):
    (tmp_path / "text.tif").write_text("hello")
    (tmp_path / "empty.tif").touch()
    for name, why in (("text.tif", "is not a TIFF"), ("empty.tif", "is empty"), ("none.tif", "no such file")):
        with pytest.raises(InputError, match=f"{name}: {why}"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_pixels_that_are_not_finite_are_refused(tmp_path, bad):
    image = np.zeros((8, 8))
    image[3, 4] = bad
    tifffile.imwrite(tmp_path / "a.tif", image)
    with pytest.raises(InputError, match=r"a\.tif: 1 of 64 values"):
        read_image(tmp_path / "a.tif")


def test_labels_are_int32(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GRAY.astype(np.uint16))
    tifffile.imwrite(tmp_path / "bool.tif", GRAY > 50)
    Image.fromarray(GRAY > 50).save(tmp_path / "bool.png")
    for name, expected in (("a.tif", GRAY), ("bool.tif", GRAY > 50), ("bool.png", GRAY > 50)):
        labels = read_labels(tmp_path / name)
        assert labels.dtype == np.int32
        assert np.array_equal(labels, expected)


def test_labels_in_a_palette_png_are_its_indices(tmp_path):
    picture = Image.fromarray((GRAY % 7).astype(np.uint8), "P")
    picture.putpalette([9, 9, 9] * 256)
    picture.save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png"), GRAY % 7)


def test_labels_that_are_not_labels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "soft.tif", (GRAY / 1200).astype(np.float32))
    tifffile.imwrite(tmp_path / "minus.tif", GRAY.astype(np.int16) - 1)
    tifffile.imwrite(tmp_path / "nan.tif", np.full((8, 8), np.nan, np.float32))
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "rgb.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
    for name, why in {
        "soft.tif": r"holds float32 values from 0 to 0\.999, fractions in 99\.9% .* threshold a soft mask",
        "minus.tif": "holds labels from -1 to 1198",
        "nan.tif": "100.0% of its pixels are NaN or infinite",
        "rgb.tif": "holds 3 channels",
        "rgb.png": "holds 3 channels",
        "a.jpg": "JPEG changes pixel values",
    }.items():
        with pytest.raises(InputError, match=f"{name}: {why}"):
            read_labels(tmp_path / name)


def test_channels():
    rgb = np.stack([np.full((2, 2), value, np.uint8) for value in (10, 20, 60)])
    assert select_channels(rgb, "auto") is rgb
    assert np.array_equal(select_channels(rgb, "gray"), np.full((1, 2, 2), 30, np.float32))
    assert np.array_equal(select_channels(rgb[:1], "gray"), rgb[:1])
    assert np.array_equal(select_channels(rgb, [2, 0]), rgb[[2, 0]])
    for wrong in ([3], [-1], []):
        with pytest.raises(InputError, match=r"a\.tif has channels 0 to 2, but channels .* data\.channels"):
            select_channels(rgb, wrong, "a.tif")


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int64", "uint64", "float32", "float64"])
def test_labels_of_any_type_and_size_are_instances(tmp_path, dtype):
    first = 60_000 if dtype == "uint16" else 2_000_000_000 if dtype == "uint32" else 2**40
    ids = np.array([[0, 0, 1], [2, 2, 3]]).repeat(4, 0)
    large = np.where(ids, first + ids * (1 if dtype != "float32" else 2**20), 0).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", large)
    labels = read_labels(tmp_path / "a.tif")
    assert labels.dtype == np.int32
    assert np.array_equal(convert(labels, "instances", "instances"), ids)


TURNED = {
    1: GRAY,
    2: GRAY[:, ::-1],
    3: GRAY[::-1, ::-1],
    4: GRAY[::-1],
    5: GRAY.T,
    6: np.rot90(GRAY, -1),
    7: GRAY[::-1, ::-1].T,
    8: np.rot90(GRAY),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("ending", ["tif", "png", "jpg"])
def test_orientation_tags_are_applied_to_images_and_masks(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[274] = orientation
    stored = (GRAY // 5).astype(np.uint8)
    options = {"compression": "tiff_lzw"} if ending == "tif" else {"quality": 100} if ending == "jpg" else {}
    Image.fromarray(stored).save(tmp_path / f"a.{ending}", exif=exif, **options)
    upright = TURNED[orientation] // 5
    image = read_image(tmp_path / f"a.{ending}")[0]
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() <= (3 if ending == "jpg" else 0)
    if ending != "jpg":
        assert np.array_equal(read_labels(tmp_path / f"a.{ending}"), upright)


def test_white_is_zero_is_inverted_in_images_and_not_in_masks(tmp_path):
    for name, values, white in (
        ("8", GRAY % 251, 255),
        ("16", GRAY, 65535),
        ("1", GRAY % 2, 1),
    ):
        dtype = {"8": np.uint8, "16": np.uint16, "1": bool}[name]
        tifffile.imwrite(tmp_path / "a.tif", values.astype(dtype), photometric="miniswhite")
        assert np.array_equal(read_image(tmp_path / "a.tif")[0], white - values)
        assert np.array_equal(read_labels(tmp_path / "a.tif"), values)


@pytest.mark.parametrize("thumbnail_first", [True, False])
def test_reduced_resolutions_are_skipped(tmp_path, thumbnail_first):
    image = GRAY.astype(np.uint16)
    thumbnail = {"data": image[::4, ::4], "subfiletype": 1}
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in (thumbnail, {"data": image}) if thumbnail_first else ({"data": image}, thumbnail):
            file.write(**page)
    assert page_count(tmp_path / "a.tif") == 1
    assert np.array_equal(read_image(tmp_path / "a.tif")[0], image)


def drop_pages(path, kept):
    """End the chain of pages early, as a copy that was interrupted at a page does."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        offset, order = tif.pages[kept - 1].offset, tif.byteorder
    (tags,) = struct.unpack_from(f"{order}H", content, offset)
    struct.pack_into(f"{order}I", content, offset + 2 + 12 * tags, 0)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped", "shaped with axes"])
@pytest.mark.parametrize("axes", ["CYX", "ZYX"])
def test_planes_that_the_header_describes_and_the_file_lacks_are_refused(tmp_path, kind, axes):
    path = tmp_path / ("a.ome.tif" if kind == "ome" else "a.tif")
    options = {"imagej": True} if kind == "imagej" else {"photometric": "minisblack"}
    metadata = {} if kind == "shaped" else {"axes": axes}
    tifffile.imwrite(path, STACK.astype(np.uint16), compression="zlib", metadata=metadata, **options)
    drop_pages(path, 2)
    for read in (page_count, read_image, lambda path: read_image(path, 2)):
        with pytest.raises(
            InputError, match=r"describes 3 planes, but the file holds 2|holds 3 planes|no page"
        ):
            read(path)
    with pytest.raises(InputError, match="describes 3 planes, but the file holds 2"):
        page_count(path)


def test_a_stack_whose_pages_are_missing_is_not_a_single_image(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK.astype(np.uint16), imagej=True, metadata={"axes": "ZYX"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="describes 3 planes, but the file holds 1"):
        read_image(path)


@pytest.mark.parametrize(("axes", "kind"), [("ZYX", "a z-stack"), ("TYX", "a time series")])
@pytest.mark.parametrize("imagej", [True, False])
def test_stacks_and_time_series_are_recognized(tmp_path, axes, kind, imagej):
    path = tmp_path / ("a.tif" if imagej else "a.ome.tif")
    tifffile.imwrite(path, STACK.astype(np.uint16), imagej=imagej, metadata={"axes": axes})
    with pytest.raises(InputError, match=rf"holds 3 planes \(axes {axes}\), {kind}, .* save each plane"):
        read_image(path)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_short_last_axis_without_a_name_holds_channels(tmp_path, channels):
    image = np.random.default_rng(0).integers(0, 99, (channels, 30, 40)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(image, 0, -1), photometric="minisblack")
    assert page_count(tmp_path / "a.tif") == 1
    assert np.array_equal(read_image(tmp_path / "a.tif"), image)
