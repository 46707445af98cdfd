"""What people really do with `predict`: results beside the images, mixed folders, odd files, own packages."""

from __future__ import annotations

import json
import shutil

import numpy as np
import tifffile

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.judge import labeled, labels, need, nothing, quiet, refused, same_images, succeeded
from fault_cases.predict import partly
from fault_cases.registry import fault


@fault(("field_01", "results into the folder of the images, or of the hand-drawn masks"))
def beside_the_images(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench, "p2", names=("a",))
    image, mask = inputs.disc_image()
    inputs.write_pair(bench.folder / "p5", "g", image, mask)
    for images, out in (("p2", "p2"), ("p5/images", "p5/masks")):
        refused(bench.run("predict", finished, images, "--out", out), out)


@fault(("field_02", "same.png and same.tif, two pictures, in one folder"))
def same_name(bench: Bench) -> None:
    from PIL import Image

    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    (folder / "a.tif").rename(folder / "same.tif")
    Image.fromarray(tifffile.imread(bench.shared / "pred" / "b.tif")).save(folder / "same.png")
    result = bench.run("predict", finished, "pred", "--out", "out")
    if result.code == 0:
        quiet(result)
        need(len(labels(bench)) == 2, "two images, one label image: the first is lost without a word")
    else:
        refused(result, "same.")
        nothing(bench)


@fault(("field_03", "images with their masks beside them: a.tif and a_masks.tif"))
def masks_are_no_images(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a", "b"))
    for name in ("a", "b"):
        tifffile.imwrite(folder / f"{name}_masks.tif", inputs.disc_image()[1])
    result = bench.run("predict", finished, "pred", "--out", "out")
    succeeded(result, "mask")
    labeled(bench, ("a", "b"))


@fault(("field_19", "the package that a run wrote, as a model of `predict`"))
def own_package(bench: Bench) -> None:
    finished = inputs.finished(bench)
    inputs.images(bench)
    package = next((finished / "bioimageio").glob("*.zip"))
    shutil.copy(package, bench.folder / "mine.zip")
    result = bench.run("predict", "mine.zip", "pred", "--out", "out")
    succeeded(result)
    labeled(bench, inputs.NAMES)


@fault(("field_20", "a time series and an RGBA picture among gray images"))
def among_others(bench: Bench) -> None:
    from PIL import Image

    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a", "b", "d"))
    frames = np.stack([tifffile.imread(folder / "a.tif")] * 3)
    tifffile.imwrite(folder / "c.tif", frames, imagej=True, metadata={"axes": "TYX"})
    Image.fromarray(np.moveaxis(frames, 0, -1)).convert("RGBA").save(folder / "e.png")
    result = bench.run("predict", finished, "pred", "--out", "out")
    partly(bench, result, "c.tif", ("a", "b", "d"))
    need(any("e.png" in line for line in result.errors), "does not name e.png")


@fault(("field_27p", "images smaller than the network's least size in predict"))
def small(bench: Bench) -> None:
    finished = inputs.finished(bench)
    (bench.folder / "pred").mkdir()
    shapes = {"one": (1, 1), "few": (5, 7), "strip": (3, 2000)}
    for name, shape in shapes.items():
        noise = np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8)
        tifffile.imwrite(bench.folder / "pred" / f"{name}.tif", noise)
    succeeded(bench.run("predict", finished, "pred", "--out", "out"))
    found = {name: pixels.shape for name, pixels in labels(bench).items()}
    need(found == shapes, f"labels of other sizes: {found}")


@fault(
    ("field_26", "gray images in many formats: PNG, 16 bit, BigTIFF, LZW, Zstd, tiled, big-endian, float16")
)
def formats(bench: Bench) -> None:
    from PIL import Image

    finished = inputs.finished(bench)
    inputs.images(bench, "source", names=("a",))
    pixels = tifffile.imread(bench.folder / "source" / "a.tif")
    folder = bench.folder / "pred"
    folder.mkdir()
    tile = {"tile": (32, 32)}
    written = {
        "bigtiff": {"bigtiff": True},
        "lzw": {"compression": "lzw", "predictor": 2},
        "zstd": {"compression": "zstd"},
        "lzma": {"compression": "lzma"},
        "tiled": tile | {"compression": "zlib"},
        "bigendian": {"byteorder": ">"},
    }
    for name, options in written.items():
        tifffile.imwrite(folder / f"{name}.tif", pixels.astype(np.uint16), **options)
    for name, kind in (("float16", np.float16), ("int16", np.int16), ("uint32", np.uint32)):
        tifffile.imwrite(folder / f"{name}.tif", pixels.astype(kind))
    Image.fromarray(pixels).save(folder / "gray8.png")
    Image.fromarray(pixels.astype(np.uint16)).save(folder / "gray16.png")
    Image.merge("LA", [Image.fromarray(pixels), Image.new("L", pixels.T.shape, 255)]).save(
        folder / "alpha.png"
    )
    succeeded(bench.run("predict", finished, "pred", "--out", "out"))
    found = labels(bench)
    need(len(found) == len(list(folder.iterdir())), f"labels of {sorted(found)} only")
    same_images(found, tifffile.imread(bench.shared / "labels" / "a.tif"))


@fault(("field_14", "a TIFF with white as zero"))
def white_is_zero(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    pixels = tifffile.imread(folder / "a.tif")
    tifffile.imwrite(folder / "a.tif", 255 - pixels, photometric="miniswhite")
    result = bench.run("predict", finished, "pred", "--out", "out")
    if "white" in result.text.lower():
        quiet(result)
    else:
        succeeded(result)
        labeled(bench, ("a",))


@fault(("field_04", "orientation tags of TIFF, PNG and JPEG"))
def orientation(bench: Bench) -> None:
    from PIL import Image

    finished = inputs.finished(bench)
    inputs.images(bench, "source", names=("a",))
    pixels = tifffile.imread(bench.folder / "source" / "a.tif")
    (bench.folder / "pred").mkdir()
    turned = np.ascontiguousarray(np.rot90(pixels))  # tag 6: turn clockwise to look at it
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(turned).save(bench.folder / "pred" / "png.png", exif=exif)
    tags = [(274, "H", 1, 6, True)]
    tifffile.imwrite(bench.folder / "pred" / "tiff.tif", turned, extratags=tags)
    result = bench.run("predict", finished, "pred", "--out", "out")
    succeeded(result)
    same_images(labels(bench), tifffile.imread(bench.shared / "labels" / "a.tif"))


@fault(("field_05", "a header that describes planes which the file lacks"))
def missing_planes(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    pixels = tifffile.imread(folder / "a.tif")
    text = "ImageJ=1.53t\nimages=5\nslices=5\nhyperstack=true\n"
    tifffile.imwrite(folder / "b.tif", pixels, description=text, metadata=None)
    ome = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
    ome += (
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="64" SizeY="64" SizeC="3" SizeZ="1" '
    )
    ome += 'SizeT="1"><TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
    tifffile.imwrite(folder / "c.ome.tif", pixels, description=ome, metadata=None)
    result = bench.run("predict", finished, "pred", "--out", "out")
    quiet(result)
    for name in ("b.tif", "c.ome.tif"):
        need(
            any(name in line for line in result.errors), f"{name} is read, planes that are not there as zeros"
        )
    need(result.code == 1, f"exit {result.code} instead of 1")


@fault(("field_34", "a thumbnail as the second image of a TIFF"))
def thumbnail(bench: Bench) -> None:
    finished = inputs.finished(bench)
    folder = inputs.images(bench, names=("a",))
    pixels = tifffile.imread(folder / "a.tif")
    with tifffile.TiffWriter(folder / "a.tif") as file:
        file.write(pixels, photometric="minisblack")
        file.write(pixels[::4, ::4], photometric="minisblack", subfiletype=1)
    succeeded(bench.run("predict", finished, "pred", "--out", "out"))
    labeled(bench, ("a",))


@fault(("field_36", "--json of predict, and no progress bar of a package"))
def machine_readable(bench: Bench) -> None:
    inputs.package(bench)
    inputs.images(bench, names=("a",))
    result = bench.run("predict", "package", "pred", "--out", "out", "--json")
    succeeded(result)
    need(not result.err.strip(), f"more than the result is printed: {result.err.strip()[-60:]}")
    try:
        json.loads(result.out.splitlines()[-1])
    except ValueError:
        try:
            json.loads(result.out)
        except ValueError as error:
            need(False, f"no JSON on standard output: {error}")
