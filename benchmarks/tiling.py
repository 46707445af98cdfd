"""Maps and labels of tiles against those of the whole image, for exact and other networks and all targets.

    uv run python benchmarks/tiling.py --size 2048
    uv run python benchmarks/tiling.py --size 8192 --width 4 --rays 8 --blocks 0

Each network is trained for a few steps on synthetic nuclei. A row states the largest difference between the
maps of tiles and of the whole image, and the pixels whose label differs, for five sizes of tiles; then the
pixels whose label differs if instances are decided block by block, as those of large images are. Networks
that depend on the whole image also state the tile mismatch of a record, which is measured on smaller images
(`finetune.inference.tile_mismatch`), beside that of the large image, with tiles of the same size. For a
network with global attention, they also state the mismatch that `finetune predict --tile-mismatch` measures
on the large image. `--uneven` makes brightness and background of all images increase from left to right. The
whole image and its maps lie in memory: 8192 × 8192 pixels with 9 maps take 12 GB.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from streaming import nuclei, trained

from finetune.data.reader import Sample
from finetune.data.windows import windows_of
from finetune.inference.image_mismatch import measure_image
from finetune.inference.label_bands import LabelBands
from finetune.inference.model import Model
from finetune.inference.stitching import DecodedBlock, blocks_of, decode_block
from finetune.inference.tile_mismatch import count_mismatches, measure_tiling
from finetune.networks.cpnet import CPnet
from finetune.networks.unet import UNet

TILES = (256, 384, 512, 768, 1024)
TARGETS = ("foreground_boundary", "flows", "rays")
FEW = 100  # pixels: the ratio of smaller numbers says nothing; rounding changes one or two
OTHERS = ("group norm", "instance norm", "style", "attention")


def by_blocks(model: Model, maps: np.ndarray, side: int) -> np.ndarray:
    """Labels decided block by block."""
    shape = maps.shape[1:]
    blocks = blocks_of(*shape, side)
    flat = [block for row in blocks for block in row]

    def load(number: int) -> DecodedBlock:
        return decode_block(model.target, lambda rows, columns: maps[:, rows, columns], flat[number], shape)

    stitching = getattr(model.target, "stitching", "instances")
    return np.concatenate(list(LabelBands(blocks, load, stitching)))


def exact(arguments: argparse.Namespace, target: str) -> Model:
    """The U-Net of StarDist, which has no normalization."""
    options = {"rays": arguments.rays} if target == "rays" else None
    return trained(arguments.width, target, arguments.steps, options=options)


class SegFormer(torch.nn.Module):
    """The smallest SegFormer (Xie et al. 2021, https://arxiv.org/abs/2105.15203), with random weights."""

    divisor = 32

    def __init__(self, maps: int) -> None:
        super().__init__()
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        self.network = SegformerForSemanticSegmentation(SegformerConfig(num_channels=1, num_labels=maps))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps at full resolution."""
        return F.interpolate(self.network(images).logits, images.shape[2:], mode="bilinear")


def with_instance_norm(network: torch.nn.Module) -> torch.nn.Module:
    """Replace group normalization."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, torch.nn.GroupNorm):
                setattr(module, name, torch.nn.InstanceNorm2d(child.num_channels, affine=True))
    return network


def other(arguments: argparse.Namespace, name: str) -> Model:
    """A network that depends on the whole image: the U-Net of finetune, that of Cellpose, or SegFormer."""
    width, steps = arguments.width, arguments.steps
    if name == "style":
        return trained(0, "flows", steps, network=lambda maps: CPnet(1, maps))
    target = "foreground_boundary"
    if name == "attention":
        return trained(0, target, steps, network=SegFormer)
    if name == "instance norm":
        return trained(
            0, target, steps, network=lambda maps: with_instance_norm(UNet(1, maps, width, depth=2))
        )
    return trained(0, target, steps, network=lambda maps: UNet(1, maps, width, depth=2))


def image(size: int, seed: int = 0, uneven: bool = False) -> np.ndarray:
    """Synthetic nuclei (H, W) uint16; `uneven` if brightness and background increase from left to right."""
    pixels = nuclei(size, seed)[0]
    if uneven:
        right = np.linspace(0, 1, size)
        pixels = (pixels * (0.3 + 1.7 * right) + 8000 * right).clip(0, 2**16 - 1).astype(np.uint16)
    return pixels


def largest_difference(maps: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute difference, without a third array of that size."""
    return max(float(np.abs(one - other).max()) for one, other in zip(maps, expected, strict=True))


def compare_sizes(
    model: Model, pixels: np.ndarray, tiles: Sequence[int], blocks: bool
) -> Iterator[tuple[int, float]]:
    """Print a row for each size of tiles; yields the size and the part of the pixels whose label differs."""
    prepared, side = model.prepare(pixels[None]), len(pixels)
    whole = model.predict_maps(prepared, tile=side)
    expected = None
    for tile in tiles:
        if tile >= side:
            continue
        maps = model.predict_maps(prepared, tile=tile)
        largest, different = largest_difference(maps, whole), 0
        if largest:
            expected = model.target.decode(whole) if expected is None else expected
            different = count_mismatches(model.target.decode(maps), expected)
        share = different / pixels.size
        print(f"  tile {tile}: maps differ by {largest:.1e}, {different} px ({share:.4%})", flush=True)
        yield tile, share
    if blocks:
        expected = model.target.decode(whole) if expected is None else expected
        for length in (side // 4, side // 2):
            different = count_mismatches(by_blocks(model, whole, length), expected)
            print(f"  blocks of {length}: {different} px of {expected.max():,} instances", flush=True)


def state(model: Model, size: int, count: int, uneven: bool) -> tuple[int, float] | None:
    """Size of tiles and tile mismatch, as a record states them for images of a data set."""
    nothing = np.zeros((size, size), np.int32)
    images = [Sample(str(seed), image(size, seed, uneven)[None], nothing) for seed in range(1, count + 1)]
    tiling = measure_tiling(model, images)
    if tiling is None or tiling.tile is None or tiling.mismatch is None:
        return None
    print(f"  the record states {tiling.mismatch:.4%} for tiles of {tiling.tile}, {count} images of {size}")
    return tiling.tile, tiling.mismatch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="height and width of the image in pixels")
    parser.add_argument("--width", type=int, default=8, help="channels of the networks at full resolution")
    parser.add_argument("--steps", type=int, default=80, help="training steps")
    parser.add_argument("--targets", nargs="*", default=TARGETS, help="targets of the exact network")
    parser.add_argument("--others", nargs="*", default=OTHERS, help="networks that depend on the whole image")
    parser.add_argument("--tiles", nargs="*", type=int, default=TILES, help="sizes of tiles")
    parser.add_argument("--uneven", action="store_true", help="brightness increases from left to right")
    parser.add_argument("--rays", type=int, default=32, help="rays of the target rays")
    parser.add_argument("--blocks", type=int, default=1, help="0 leaves out instances decided by blocks")
    parser.add_argument("--stated-size", type=int, default=1024, help="pixels along a side of its images")
    parser.add_argument("--stated-images", type=int, default=4, help="images of a stated mismatch")
    arguments = parser.parse_args()
    pixels = image(arguments.size, uneven=arguments.uneven)
    for name in arguments.targets:
        model = exact(arguments, name)
        model.measure_receptive_field()
        print(f"exact × {name}: receptive field {model.receptive_field}, halo {model.halo}", flush=True)
        list(compare_sizes(model, pixels, arguments.tiles, bool(arguments.blocks)))
    for name in arguments.others:
        model = other(arguments, name)
        print(f"{name} × {model.target.name}", flush=True)
        stated = state(model, arguments.stated_size, arguments.stated_images, arguments.uneven)
        for tile, share in compare_sizes(model, pixels, arguments.tiles, blocks=False):
            if stated and tile == stated[0] and share * pixels.size >= FEW:
                print(f"  stated / measured for tiles of {tile}: {stated[1] / share:.2f}", flush=True)
            if name == "attention" and share:
                found = measure_image(model, [windows_of(pixels[None])], tile, window=arguments.size)
                if found and found.mismatch is not None:
                    print(f"  measured on the image / measured: {found.mismatch / share:.2f}", flush=True)


if __name__ == "__main__":
    main()
