"""Cache of encoder features on disk: a frozen encoder runs once per patch or image, not once per epoch."""

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
    """Convert cached features to the decoder's input.

    Args:
        features: (N, H, W, C) float16 per level.
        dtype: dtype of the result.

    Returns:
        (N, C, H, W) per level.
    """
    return tuple(level.permute(0, 3, 1, 2).to(dtype) for level in features)


class FeatureStore:
    """A folder of features. Files are written atomically, so several processes may fill it at the same time.

    Features are stored as float16, with a relative error of at most 1 in 2048 from 6e-5 on and an absolute
    error of 3e-8 below, channels last, which is fastest to read. Files are safetensors and memory-mapped.
    """

    def __init__(self, folder: Path, encoder: nn.Module, settings: dict[str, Any]) -> None:
        """Configure the cache; the folder is created when the first file is written.

        Args:
            folder: folder of the files.
            encoder: maps images (N, C, H, W) to a tuple of features (N, Cᵢ, Hᵢ, Wᵢ); set to eval mode.
            settings: everything else that affects the features: architecture, precision.
        """
        self.folder = folder
        self.encoder = encoder.eval().to(memory_format=torch.channels_last)
        versions = {name: version(name) for name in ("finetune", "torch", "numpy")}
        self._source = json.dumps([versions, settings, _weights(encoder)], sort_keys=True)

    def __deepcopy__(self, memo: dict[int, Any]) -> FeatureStore:
        """Return the same object: copies of the module, such as a moving average, share the frozen part."""
        return self

    def path(self, *parts: Any) -> Path:
        """Path of the file for a key, whether it exists or not.

        Args:
            *parts: parts of the key; values that JSON can represent.

        Returns:
            The path.
        """
        key = hashlib.sha256(json.dumps([self._source, *parts], sort_keys=True).encode())
        return self.folder / f"{key.hexdigest()}.safetensors"

    def encode(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Run the encoder on its device.

        Args:
            images: (N, C, H, W) float32.

        Returns:
            Features (N, H, W, C) float16 per level, on the CPU.

        Raises:
            DataError: if a feature is not finite in float16.
        """
        place = next(self.encoder.parameters(), images)
        images = images.to(place.device, place.dtype).contiguous(memory_format=torch.channels_last)
        features = [
            level.permute(0, 2, 3, 1).to("cpu", torch.float16).contiguous() for level in self.encoder(images)
        ]
        if not all(bool(torch.isfinite(level).all()) for level in features):
            raise DataError("the encoder's features exceed the range of float16; set training.cache=false")
        return features

    def keep(self, path: Path, features: Sequence[torch.Tensor], maps: torch.Tensor | None = None) -> int:
        """Write features and, for a patch, its maps as float16.

        Args:
            path: the file, from `path`.
            features: (H, W, C) or (1, H, W, C) per level.
            maps: (K, P, P) of a patch.

        Returns:
            Bytes written.

        Raises:
            DataError: if the disk is full or not writable.
        """
        tensors = {str(number): level.contiguous() for number, level in enumerate(features)}
        if maps is not None:
            tensors["maps"] = maps.to(torch.float16).contiguous()
        try:
            return write_safetensors(path, tensors)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot keep features: {error.strerror}; {REMEDY}") from error

    def __call__(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features (1, H, W, C) float16 of one image (1, C, H, W), on its device; cached by its pixels."""
        path = self.path(sha256_pixels(images.float().cpu().numpy()))
        if not path.exists():
            self.keep(path, self.encode(images))
        return [level.to(images.device) for level in levels(load_file(path))]

    def check_room(self, needed: int) -> None:
        """Check that the disk has enough free space.

        Args:
            needed: bytes.

        Raises:
            DataError: if fewer than `needed` bytes are free.
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
