"""Tensors in files of weights, read as bytes: nothing is unpickled, no deep-learning framework imported."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from cards.archives import DAMAGED
from cards.errors import ModelError

MAX_HEADER = 100 * 2**20  # bytes; the limit of the safetensors library
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
# Orders in which another file may store the axes of a tensor (out, in, height, width): channels last, as
# torch keeps it in memory, and the order of Keras; matrices may be transposed.
LAYOUTS: dict[int, tuple[tuple[int, ...], ...]] = {4: ((0, 2, 3, 1), (2, 3, 1, 0)), 2: ((1, 0),)}

# StarDist's layer of class probabilities, a softmax over background and one class. Our networks predict the
# difference of the two logits.
FOREGROUND = "prob_class/"


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file.

    Attributes:
        dtype: as safetensors spells it, e.g. "F32"; empty in other files.
        data: with the shape of the tensor; bfloat16 as uint16.
    """

    dtype: str
    data: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        if self.dtype == "BF16":  # all eight bits of the exponent are set
            return not bool(np.any((self.data & 0x7F80) == 0x7F80))
        return self.dtype not in FLOATS or bool(np.all(np.isfinite(self.data)))

    def digest(self) -> str:
        """Hash the values.

        Returns:
            SHA-256 of the bytes in C order.
        """
        return _hash(self.data)

    def other_digests(self) -> Iterator[str]:
        """Hash the values in the other orders of axes that files use.

        Yields:
            SHA-256 of the bytes.
        """
        for order in LAYOUTS.get(self.data.ndim, ()):
            yield _hash(self.data.transpose(order))


def read_safetensors(path: Path, where: str) -> dict[str, Tensor]:
    """Map a safetensors file into memory.

    Args:
        path: the file.
        where: its name for error messages.

    Returns:
        Tensors by name.

    Raises:
        ModelError: if the file is damaged or cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            if length > min(MAX_HEADER, size - 8):
                raise ModelError(f"{where}: not a complete safetensors file: the header ends after the file")
            header = json.loads(file.read(length))
        content: np.ndarray = (
            np.memmap(path, np.uint8, "r", offset=8 + length) if size > 8 + length else _EMPTY
        )
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _tensor(name, entry, content, where) for name, entry in entries.items()}
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{where}: not a readable safetensors file: {error}") from error


_EMPTY = np.zeros(0, np.uint8)


def _tensor(name: str, entry: Mapping[str, Any], content: np.ndarray, where: str) -> Tensor:
    dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    size = SIZES.get(dtype)
    if size is None:
        raise ModelError(f"{where}: {name} has the type {dtype}, which finetune does not write")
    if not 0 <= start <= end <= len(content) or end - start != math.prod(shape) * size:
        raise ModelError(f"{where}: {name} does not lie inside the file: the file was cut off or edited")
    kind = FLOATS.get(dtype, f"u{size}")
    return Tensor(dtype, np.frombuffer(content[start:end], kind).reshape(shape))


def torch_storages(file: Path | IO[bytes], where: str) -> dict[str, tuple[str, int]]:
    """Hash the tensors in a file that `torch.save` or `torch.jit.save` wrote: a zip with one file per tensor.

    Args:
        file: the file.
        where: its name for error messages.

    Returns:
        SHA-256 and size in bytes, by name inside the zip.

    Raises:
        ModelError: if the file is no complete zip.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = {}
            for member in archive.infolist():
                folders = member.filename.split("/")[:-1]
                if folders[-1:] in (["data"], ["constants"]):
                    with archive.open(member) as content:
                        digest = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
                    found[member.filename] = digest, member.file_size
            return found
    except (OSError, *DAMAGED) as error:
        raise ModelError(f"{where}: not a complete file of torch: {error}") from error


def onnx_tensors(content: bytes, where: str) -> dict[str, Tensor] | None:
    """Read the tensors in an ONNX file.

    Args:
        content: of the file.
        where: its name for error messages.

    Returns:
        Tensors by name of the initializer; None if the package `onnx` is not installed.

    Raises:
        ModelError: if the file is damaged.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        return None
    try:
        graph = onnx.load_model_from_string(content).graph
        return {entry.name: Tensor("", numpy_helper.to_array(entry)) for entry in graph.initializer}
    except Exception as error:  # protobuf and onnx fail in many ways
        raise ModelError(f"{where}: not a readable ONNX file: {type(error).__name__}") from error


def keras_datasets(path: Path, where: str) -> dict[str, tuple[str, int]] | None:
    """Hash the tensors in an HDF5 file of Keras.

    Args:
        path: the file.
        where: its name for error messages.

    Returns:
        SHA-256 and size in bytes, by name of the data set; None if the package `h5py` is not installed.

    Raises:
        ModelError: if the file is damaged.
    """
    try:
        import h5py
    except ImportError:
        return None
    found: dict[str, tuple[str, int]] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            array = np.asarray(item[()])
            if name.startswith(FOREGROUND) and array.shape[-1:] == (2,):
                array = array[..., 1:] - array[..., :1]
            found[name] = _hash(array), array.nbytes

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{where}: not a readable HDF5 file: {error}") from error
    return found


def _hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
