"""What a frozen encoder gives, on disk: it is run once on a patch or an image, not once an epoch."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from cards.errors import DataError
from cards.fingerprint import sha256_pixels
from finetune.utils.atomic import write_safetensors

REMEDY = "lower training.views, or run the encoder in every epoch with training.cache=false"


def widen(features: Sequence[torch.Tensor], dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """Features as they are kept, (N, H, W, C) float16, as a decoder takes them: (N, C, H, W)."""
    return tuple(level.permute(0, 3, 1, 2).to(dtype) for level in features)


class FeatureStore:
    """A folder of features, each file whole or not there, so that several processes may fill it at once.

    Features are kept as float16, with a relative error of at most 1 in 2048 from 6e-5 on and an absolute one
    of 3e-8 below. They lie with the channels last, as they are read fastest. A file is safetensors: reading
    it maps it into memory.
    """

    def __init__(self, folder: Path, encoder: nn.Module, settings: dict[str, Any]) -> None:
        """Name the folder; it is made when something is written into it.

        Args:
            folder: where the files lie.
            encoder: images (N, C, H, W) -> a tuple of features (N, Cᵢ, Hᵢ, Wᵢ); put in evaluation mode.
            settings: whatever else its output depends on: how it was built, the precision.
        """
        self.folder = folder
        self.encoder = encoder.eval().to(memory_format=torch.channels_last)
        versions = {name: version(name) for name in ("finetune", "torch", "numpy")}
        self._source = json.dumps([versions, settings, _weights(encoder)], sort_keys=True)

    def __deepcopy__(self, memo: dict[int, Any]) -> FeatureStore:
        """The same: a copy of what is trained, such as a moving average, shares what is not."""
        return self

    def path(self, *parts: Any) -> Path:
        """The file for what these parts (of JSON) describe, whether it is there or not."""
        key = hashlib.sha256(json.dumps([self._source, *parts], sort_keys=True).encode())
        return self.folder / f"{key.hexdigest()}.safetensors"

    def encode(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Run the encoder, where it lies, on images (N, C, H, W): features (N, H, W, C) float16 in memory.

        Raises:
            DataError: if a feature is not a number, or too large for float16.
        """
        place = next(self.encoder.parameters(), images)
        images = images.to(place.device, place.dtype).contiguous(memory_format=torch.channels_last)
        features = [
            level.permute(0, 2, 3, 1).to("cpu", torch.float16).contiguous() for level in self.encoder(images)
        ]
        if not all(bool(torch.isfinite(level).all()) for level in features):
            raise DataError(
                "the encoder gives features that half precision cannot hold: set training.cache=false"
            )
        return features

    def keep(self, path: Path, features: Sequence[torch.Tensor], maps: torch.Tensor | None = None) -> int:
        """Write features, and with them the maps (K, P, P) of a patch, as float16.

        Returns:
            Bytes written.

        Raises:
            DataError: if the disk is full, or it cannot be written.
        """
        tensors = {str(number): level.contiguous() for number, level in enumerate(features)}
        if maps is not None:
            tensors["maps"] = maps.to(torch.float16).contiguous()
        try:
            return write_safetensors(path, tensors)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot keep features: {error.strerror}; {REMEDY}") from error

    def __call__(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features (1, H, W, C) float16 of one image (1, C, H, W), on its device; kept by its pixels."""
        path = self.path(sha256_pixels(images.float().cpu().numpy()))
        if not path.exists():
            self.keep(path, self.encode(images))
        return [level.to(images.device) for level in levels(load_file(path))]

    def check_room(self, needed: int) -> None:
        """Say beforehand that the disk is too small.

        Raises:
            DataError: if there are fewer than `needed` bytes left.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"{self.folder}: the encoder's features need {needed / 1e9:.3g} GB, "
                f"and {free / 1e9:.3g} GB are free: {REMEDY}"
            )

    def forget(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def levels(tensors: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Features of a cache file.

    Args:
        tensors: tensors of the file by name: "0", "1", … and, for a patch, "maps".

    Returns:
        One (H, W, C) float16 tensor per level, finest first.
    """
    return [tensors[str(number)] for number in range(len(tensors) - ("maps" in tensors))]


def _weights(encoder: nn.Module) -> str:
    """SHA-256 of names, shapes, types and values of all weights."""
    digest = hashlib.sha256()
    for name, values in encoder.state_dict().items():
        digest.update(f"{name} {tuple(values.shape)} {values.dtype}\n".encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
