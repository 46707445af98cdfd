"""Maps and labels of tiles against those of the whole image, for exact and other networks and all targets.

    uv run python benchmarks/tiling.py --size 2048

Each network is trained for a few steps on synthetic nuclei. A row states the largest difference between the
maps of tiles and of the whole image, and the pixels whose label differs, for five sizes of tiles; then the
pixels whose label differs if instances are decided block by block, as those of large images are.
"""

from __future__ import annotations

import argparse

import numpy as np
from streaming import nuclei, trained

from finetune.inference.label_bands import LabelBands
from finetune.inference.model import Model
from finetune.inference.stitching import DecodedBlock, blocks_of, decode_block
from finetune.inference.tile_mismatch import count_mismatches
from finetune.networks.unet import UNet

TILES = (256, 384, 512, 768, 1024)


def by_blocks(model: Model, maps: np.ndarray, side: int) -> np.ndarray:
    """Labels decided block by block."""
    shape = maps.shape[1:]
    blocks = blocks_of(*shape, side)
    flat = [block for row in blocks for block in row]

    def load(number: int) -> DecodedBlock:
        return decode_block(model.target, lambda rows, columns: maps[:, rows, columns], flat[number], shape)

    stitching = getattr(model.target, "stitching", "instances")
    return np.concatenate(list(LabelBands(blocks, load, stitching)))


def with_group_normalization(width: int, steps: int) -> Model:
    """The U-Net of finetune, which depends on the whole image."""
    return trained(width, "foreground_boundary", steps, network=lambda maps: UNet(1, maps, width, depth=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="height and width of the image in pixels")
    parser.add_argument("--width", type=int, default=8, help="channels of the networks at full resolution")
    parser.add_argument("--steps", type=int, default=80, help="training steps")
    parser.add_argument("--targets", nargs="+", help="targets of the exact network; all if unset")
    arguments = parser.parse_args()
    names = arguments.targets or ["foreground_boundary", "flows", "rays"]
    models = {f"exact × {name}": trained(arguments.width, name, arguments.steps) for name in names}
    models["group norm × foreground_boundary"] = with_group_normalization(arguments.width, arguments.steps)
    pixels = nuclei(arguments.size)[0]
    for name, model in models.items():
        model.measure_receptive_field()
        image = model.prepare(pixels[None])
        whole = model.predict_maps(image, tile=arguments.size)
        expected = model.target.decode(whole)
        print(f"{name}: receptive field {model.receptive_field}, {expected.max():,} instances", flush=True)
        for tile in TILES:
            if tile >= arguments.size:
                continue
            maps = model.predict_maps(image, tile=tile)
            same = np.array_equal(maps, whole)
            different = 0 if same else count_mismatches(model.target.decode(maps), expected)
            share = 100 * different / expected.size
            largest = np.abs(maps - whole).max()
            print(f"  tile {tile}: maps differ by {largest:.1e}, {different} px ({share:.4f}%)", flush=True)
        for side in (arguments.size // 4, arguments.size // 2):
            different = count_mismatches(by_blocks(model, whole, side), expected)
            print(f"  blocks of {side}: {different} px")


if __name__ == "__main__":
    main()
