"""Named tensors in files of torch: checkpoints, state dicts and TorchScript. Nothing in them is executed."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from cards.audit.tensors import Tensor
from cards.errors import ModelError

MAX_PICKLE = 256 * 2**20  # bytes; names, shapes and settings, without the numbers
DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
}
DATA = ("torch", "collections", "numpy")
"""Packages whose classes hold data in a checkpoint. `torch.load` with weights_only accepts few others."""
SCRIPT = "__torch__"  # prefix of the classes of TorchScript, which the file defines itself


@dataclass(frozen=True)
class StoredTensor:
    """A tensor, whose numbers are in a file of their own inside the zip.

    Attributes:
        key: name of that file.
        dtype: of numpy.
        offset: of the first number, in numbers.
        shape: of the tensor.
        strides: distance of neighbors along each axis, in numbers.
    """

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Nothing:
    """Takes the place of every object that the comparison does not need."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    def extend(self, items: Any) -> None:
        pass


class _Module:
    """A module of TorchScript."""

    members: Mapping[str, Any]

    def __setstate__(self, state: Any) -> None:
        self.members = state if isinstance(state, Mapping) else {}


class _Names(pickle.Unpickler):
    """Reads names and shapes of tensors. No class or function named in the file is imported or called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _stored
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        package = module.partition(".")[0]
        if package == SCRIPT:
            return _Module
        if package in DATA:
            return _Nothing
        raise ModelError(f"it names {module}.{name}, which is code and would run when it is loaded")

    def persistent_load(self, pid: Any) -> tuple[str, Any]:
        _, dtype, key, *_ = pid
        return str(key), dtype


def _stored(storage: tuple[str, Any], offset: int, shape: Any, strides: Any, *_: Any) -> Any:
    key, dtype = storage
    if not isinstance(dtype, str):
        return _Nothing()
    return StoredTensor(key, dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def torch_tensors(file: Path | IO[bytes], where: str) -> dict[str, Tensor]:
    """Read the tensors of a state dict, of a module in TorchScript, or of the weights in a checkpoint.

    Args:
        file: as `torch.save` or `torch.jit.save` wrote it.
        where: its name for error messages.

    Returns:
        Tensors by name.

    Raises:
        ModelError: if the file is damaged, names code, or holds no weights.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_PICKLE:
                raise ModelError("there is no description of its tensors")
            if any(member.file_size != member.compress_size for member in _numbers(archive)):
                raise ModelError("its tensors are compressed, as torch never writes them")
            content = _Names(io.BytesIO(archive.read(names[0]))).load()
            root = names[0].removesuffix("data.pkl") + "data/"
            found = dict(_named(content["state_dict"] if _is_checkpoint(content) else content))
            if not found:
                raise ModelError("it holds no weights")
            return {name: _read(tensor, archive.read(root + tensor.key)) for name, tensor in found.items()}
    except Exception as error:  # a damaged pickle fails in many ways
        reason = str(error) if isinstance(error, ModelError) else f"not readable: {type(error).__name__}"
        raise ModelError(f"{where}: not a file of weights of torch: {reason}") from error


def _is_checkpoint(content: Any) -> bool:
    return isinstance(content, Mapping) and "state_dict" in content


def _numbers(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    return (member for member in archive.infolist() if "/data/" in member.filename)


def _named(content: Any, prefix: str = "") -> Iterator[tuple[str, StoredTensor]]:
    """Tensors of a mapping or a module with their names, as in a state dict."""
    if not isinstance(content, Mapping | _Module):
        raise ModelError("it holds no weights")
    members = content.members if isinstance(content, _Module) else content
    for name, value in members.items():
        if isinstance(value, StoredTensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, _Module):
            yield from _named(value, f"{prefix}{name}.")


def _read(tensor: StoredTensor, content: bytes) -> Tensor:
    numbers = np.frombuffer(content, tensor.dtype)[max(tensor.offset, 0) :]
    count = math.prod(tensor.shape)
    last = sum((extent - 1) * stride for extent, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((*tensor.shape, *tensor.strides, tensor.offset, 0)) < 0 or max(count, last + 1) > len(numbers):
        raise ModelError("a tensor does not lie inside its file")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return Tensor("", np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False))
