"""Images that are segmented part by part: the labels of the whole image, also after a kill."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from forked_command import run_command
from full_disk import nearly_full_disk
from numbering import by_first_pixel
from spots_model import spots_image, spots_model, write_spots

from cards.errors import DataError, InputError
from finetune.data.headers import read_header
from finetune.inference.large_images import is_large, job_key, segment_large
from finetune.inference.outputs import plan_outputs
from finetune.inference.scratch_job import job_folder
from finetune.inference.stream import StreamOptions
from finetune.utils.lock import FileLock

OPTIONS = StreamOptions(tile=64, block=128, margin=32)
SHAPE = (301, 262)


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """Labels predicted from the image in memory, in one piece."""
    labels = by_first_pixel(spots_model().predict(spots_image(*SHAPE)))
    assert 30 < labels.max() < 500
    return labels


def write_input(folder: Path, kind: str) -> Path:
    """The image in one of the formats that are read."""
    pixels = spots_image(*SHAPE)
    if kind == "zarr":
        pytest.importorskip("yaozarrs")
        from yaozarrs import v05
        from yaozarrs.write.v05 import write_image

        dataset = v05.Dataset(
            path="0", coordinateTransformations=[v05.ScaleTransformation(scale=[1.0, 0.5, 0.5])]
        )
        axes = [v05.ChannelAxis(name="c"), v05.SpaceAxis(name="y"), v05.SpaceAxis(name="x")]
        image = v05.Image(multiscales=[v05.Multiscale(name="spots", axes=axes, datasets=[dataset])])
        write_image(folder / "spots.ome.zarr", image, [pixels[None]], writer="zarr")
        return folder / "spots.ome.zarr"
    if kind == "png":
        import imagecodecs

        (folder / "spots.png").write_bytes(imagecodecs.png_encode(pixels))
        return folder / "spots.png"
    options = {"tiled": {"tile": (64, 64), "compression": "zlib"}, "strips": {"rowsperstrip": 7}, "plain": {}}
    tifffile.imwrite(folder / "spots.tif", pixels, **options[kind])
    return folder / "spots.tif"


@pytest.mark.parametrize("kind", ["tiled", "strips", "plain", "zarr", "png"])
def test_every_format_gives_the_labels_of_the_image_in_memory(
    kind: str, tmp_path: Path, expected: np.ndarray
) -> None:
    out = tmp_path / "labels" / "spots.tif"
    instances = segment_large(spots_model(), write_input(tmp_path, kind), out, options=OPTIONS)
    labels = tifffile.imread(out)
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.uint16
    assert instances == expected.max()
    assert [path.name for path in out.parent.iterdir()] == ["spots.tif"]


@pytest.mark.parametrize("tile", [40, 64, 100, 200, 512])
def test_the_size_of_the_tiles_does_not_matter(tile: int, tmp_path: Path, expected: np.ndarray) -> None:
    image, out = write_spots(tmp_path / "spots.tif", *SHAPE), tmp_path / "labels" / "spots.tif"
    segment_large(spots_model(), image, out, options=StreamOptions(tile=tile, block=96, margin=16, batch=3))
    np.testing.assert_array_equal(tifffile.imread(out), expected)


def test_ome_zarr_holds_image_and_labels_at_all_levels(tmp_path: Path, expected: np.ndarray) -> None:
    zarr = pytest.importorskip("zarr")
    yaozarrs = pytest.importorskip("yaozarrs")
    from finetune.data.images import read_labels
    from finetune.inference.markers import is_ours

    out = tmp_path / "labels" / "spots.ome.zarr"
    segment_large(spots_model(), write_input(tmp_path, "plain"), out, options=OPTIONS)
    np.testing.assert_array_equal(read_labels(out / "labels" / "instances"), expected)
    group = zarr.open_group(out, mode="r")
    np.testing.assert_array_equal(group["0"][...], spots_image(*SHAPE))
    np.testing.assert_array_equal(group["1"][...], spots_image(*SHAPE)[::2, ::2])
    np.testing.assert_array_equal(group["labels/instances/1"][...], expected[::2, ::2])
    yaozarrs.validate_zarr_store(str(out))
    assert is_ours(out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["large-tiff", "large-zarr", "small-tiff", "small-zarr"])
def test_killed_at_20_random_moments_a_prediction_continues_to_the_same_bytes(
    kind: str, tmp_path: Path
) -> None:
    if kind.endswith("zarr"):
        pytest.importorskip("yaozarrs")
    ended = run_kills(kind, tmp_path, 20)
    assert ended["kills"] == 20
    assert ended["accesses"] > 80


def test_a_killed_prediction_continues_to_the_same_bytes(tmp_path: Path) -> None:
    assert run_kills("large-tiff", tmp_path, 2)["kills"] == 2


def run_kills(kind: str, folder: Path, kills: int) -> dict[str, int]:
    """Kill predictions in a process of their own, which may fork."""
    ended = run_command(kind, folder, kills, cwd=folder, program="kills", timeout=1800)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, int] = json.loads(ended.stdout)
    return result


def test_a_disk_that_is_full_midway_is_one_line_and_the_same_call_continues(
    tmp_path: Path, expected: np.ndarray
) -> None:
    image, out = write_input(tmp_path, "tiled"), tmp_path / "labels" / "spots.tif"
    with (
        nearly_full_disk(8 * 64 * 64),
        pytest.raises(InputError, match=r"spots\.tif: the disk is full; free"),
    ):
        segment_large(spots_model(), image, out, options=StreamOptions(tile=128, block=96, margin=32))
    assert not out.exists()
    segment_large(spots_model(), image, out, options=StreamOptions(tile=128, block=96, margin=32))
    np.testing.assert_array_equal(tifffile.imread(out), expected)


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", ".finetune-0123456789abcdef.partial"]])
def test_a_job_that_was_killed_before_it_began_is_started_again(left: list[str], tmp_path: Path) -> None:
    image, out = write_spots(tmp_path / "spots.tif", 70, 70), tmp_path / "spots_labels.tif"
    job_folder(out).mkdir()
    for name in left:
        (job_folder(out) / name).touch()
    segment_large(spots_model(), image, out, options=OPTIONS)
    assert out.exists()
    assert not job_folder(out).exists()


@pytest.mark.parametrize("part", ["tiles/0000003.npy", "blocks/0000001.npz"])
def test_a_part_whose_end_was_lost_in_a_power_cut_is_made_again(
    part: str, tmp_path: Path, expected: np.ndarray
) -> None:
    image, out = write_spots(tmp_path / "spots.tif", *SHAPE), tmp_path / "labels" / "spots.tif"

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "finding instances" and done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_large(spots_model(), image, out, options=OPTIONS, progress=stop)
    os.truncate(job_folder(out) / part, 400)
    segment_large(spots_model(), image, out, options=OPTIONS)
    np.testing.assert_array_equal(tifffile.imread(out), expected)


def test_an_image_in_the_older_format_of_ome_zarr_that_changed_is_segmented_anew(tmp_path: Path) -> None:
    """Its metadata are in hidden files, and its pixels may change without them."""
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "spots.zarr"
    group = zarr.create_group(path, zarr_format=2)
    group.create_array("0", data=spots_image(70, 70), chunks=(32, 32))
    before = job_key(spots_model(), path, OPTIONS)
    assert job_key(spots_model(), path, OPTIONS) == before
    group["0"][:32, :32] = spots_image(32, 32, seed=1)
    assert job_key(spots_model(), path, OPTIONS) != before


def test_finished_parts_of_another_model_are_not_used(tmp_path: Path) -> None:
    image, out = write_spots(tmp_path / "spots.tif", *SHAPE), tmp_path / "labels" / "spots.tif"

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "finding instances":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_large(spots_model(), image, out, options=OPTIONS, progress=stop)
    assert list((job_folder(out) / "tiles").iterdir())
    other = spots_model()
    other.network.level.data += 0.05
    stages: dict[str, int] = {}
    segment_large(
        other, image, out, options=OPTIONS, progress=lambda stage, done, _: stages.setdefault(stage, done)
    )
    assert stages["predicting"] == 1
    np.testing.assert_array_equal(tifffile.imread(out), by_first_pixel(other.predict(spots_image(*SHAPE))))


def test_a_second_process_does_not_write_the_same_label_image(tmp_path: Path) -> None:
    image, out = write_spots(tmp_path / "spots.tif", 70, 70), tmp_path / "spots_labels.tif"
    job_folder(out).mkdir()
    lock = FileLock(job_folder(out) / "lock")
    lock.acquire()
    try:
        with pytest.raises(DataError, match=f"process {os.getpid()}"):
            segment_large(spots_model(), image, out, options=OPTIONS)
    finally:
        lock.close()


def test_a_folder_of_the_user_is_left_alone(tmp_path: Path) -> None:
    image, out = write_spots(tmp_path / "spots.tif", 70, 70), tmp_path / "spots_labels.tif"
    job_folder(out).mkdir()
    (job_folder(out) / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not written by finetune"):
        segment_large(spots_model(), image, out, options=OPTIONS)
    assert (job_folder(out) / "notes.txt").read_text() == "mine"


def test_an_image_with_other_channels_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((70, 70, 3), np.uint8), photometric="rgb")
    with pytest.raises(DataError, match="3 channels"):
        segment_large(spots_model(), tmp_path / "rgb.tif", tmp_path / "labels.tif", options=OPTIONS)


def test_only_large_images_are_segmented_part_by_part(tmp_path: Path) -> None:
    outputs = plan_outputs(write_spots(tmp_path / "spots.tif", 70, 70), tmp_path / "labels")
    image = tmp_path / "spots.tif"
    header = read_header(image)
    assert not is_large(spots_model(), image, header, outputs)
    assert is_large(spots_model(), image, header._replace(height=5000, width=5000), outputs)


@pytest.mark.parametrize(
    ("grid", "outline_threshold", "share"), [(1, 0, 1 / 2), (2, 0, 1 / 2), (2, 0.55, 1.1)]
)
def test_only_proposals_of_polygons_are_kept_on_disk(
    grid: int, outline_threshold: float, share: float, tmp_path: Path
) -> None:
    """33 maps of all pixels would take 132 bytes per pixel."""
    pytest.importorskip("stardist")
    image, out = write_spots(tmp_path / "spots.tif", *SHAPE), tmp_path / "labels" / "spots.tif"
    model = spots_model(rays=8, grid=grid, outline_threshold=outline_threshold)
    expected = by_first_pixel(model.predict(spots_image(*SHAPE)))
    assert expected.max() > 100
    sizes = []

    def watch(stage: str, done: int, total: int) -> None:
        sizes.append(sum(path.stat().st_size for path in (job_folder(out) / "tiles").glob("*.npy")))

    segment_large(model, image, out, options=OPTIONS, progress=watch)
    np.testing.assert_array_equal(tifffile.imread(out), expected)
    assert 0 < max(sizes) < share * 301 * 262 * 9 * 4 / grid**2
