"""Claim on the checkpoint of a run: it holds the weights that were exported. Nothing in it is executed."""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cards.audit.claims import Claim, Subject, Verdict, joined, sentence
from cards.audit.tensors import Tensor
from cards.errors import ModelError
from cards.formatting import counted
from cards.record import RunRecord

FAMILY = "weights"
BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"
RESTORE = "Restore the checkpoint of this run; do not resume from the present one."
PREFIXES = ("", "decoder.")  # the decoder alone is trained on precomputed features of a frozen encoder

MAX_PICKLE = 256 * 2**20  # bytes; names, shapes and settings, without the numbers
SIZES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}
DATA = ("torch", "collections", "numpy")
"""Packages whose classes hold data in a checkpoint. `torch.load` with weights_only accepts few others."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a checkpoint, in a file of its own inside the zip.

    Attributes:
        key: name of that file.
        size: bytes of one number.
        offset: of the first number, in numbers.
        shape: of the tensor.
        strides: distance of neighbors along each axis, in numbers.
    """

    key: str
    size: int
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


class _Names(pickle.Unpickler):
    """Reads names and shapes of tensors. No class or function named in the file is imported or called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _stored
        if module == "torch" and name in SIZES:
            return SIZES[name]
        if module.partition(".")[0] in DATA:
            return _Nothing
        raise ModelError(f"it names {module}.{name}, which is code and would run when it is loaded")

    def persistent_load(self, pid: Any) -> tuple[str, Any]:
        _, size, key, *_ = pid
        return str(key), size


def _stored(storage: tuple[str, Any], offset: int, shape: Any, strides: Any, *_: Any) -> Any:
    key, size = storage
    if not isinstance(size, int):
        return _Nothing()
    return StoredTensor(key, size, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def checkpoint_digests(path: Path, where: str) -> dict[str, str]:
    """Hash the weights in a checkpoint of Lightning.

    Args:
        path: the file.
        where: its name for error messages.

    Returns:
        SHA-256 of the values of each tensor in C order, by its name in the state dict.

    Raises:
        ModelError: if the file is damaged, names code, or holds no state dict.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_PICKLE:
                raise ModelError("there is no description of its tensors")
            if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
                raise ModelError("it is compressed, which torch never does")
            content = _Names(io.BytesIO(archive.read(names[0]))).load()
            state = content["state_dict"]
            root = names[0].removesuffix("data.pkl") + "data/"
            return {
                str(name): _digest(tensor, archive.read(root + tensor.key))
                for name, tensor in state.items()
                if isinstance(tensor, StoredTensor)
            }
    except Exception as error:  # a damaged pickle fails in many ways
        reason = str(error) if isinstance(error, ModelError) else f"not readable: {type(error).__name__}"
        raise ModelError(f"{where}: not a checkpoint of a training: {reason}") from error


def _digest(tensor: StoredTensor, content: bytes) -> str:
    numbers = np.frombuffer(content, f"u{tensor.size}")[max(tensor.offset, 0) :]
    count = math.prod(tensor.shape)
    last = sum((extent - 1) * stride for extent, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((*tensor.shape, *tensor.strides, tensor.offset, 0)) < 0 or max(count, last + 1) > len(numbers):
        raise ModelError("a tensor does not lie inside its file")
    strides = [stride * tensor.size for stride in tensor.strides]
    values = np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False)
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def checkpoint_claims(subject: Subject, record: RunRecord, tensors: Mapping[str, Tensor]) -> list[Claim]:
    """Compare the checkpoint that the exported weights come from with them.

    Args:
        subject: a run folder.
        record: of the run.
        tensors: of model.safetensors.

    Returns:
        One claim; none if that checkpoint was deleted.
    """
    listed = {file.path for file in record.files}
    name = BEST if BEST in listed or (subject.folder / BEST).is_file() else LAST
    path = subject.folder / name
    if not path.is_file() or path.is_symlink():
        return []  # deleted to save space, which the family "files" states
    statement = f"The weights in {name} are those of model.safetensors."

    def claim(verdict: Verdict, evidence: str, remedy: str = "") -> list[Claim]:
        return [Claim(FAMILY, statement, verdict, evidence, remedy)]

    try:
        digests = checkpoint_digests(path, name)
    except ModelError as error:
        return claim("broken", sentence(str(error)), RESTORE)
    pairs = {key: found for key in digests if (found := _name(key, tensors)) is not None}
    exported = {name: tensor.digest() for name, tensor in tensors.items()}
    different = [found for key, found in pairs.items() if exported[found] != digests[key]]
    if different:
        return claim("broken", joined(f"{found} differs" for found in different), RESTORE)
    equal = {key for key, digest in digests.items() if key in pairs or digest in exported.values()}
    evidence = f"{len(equal)} of {counted(len(digests), 'tensor')} are equal byte for byte"
    if len(equal) == len(digests):
        return claim("holds", f"{evidence}.")
    if record.model.adapt is None or record.model.adapt.name != "lora":
        others = sorted(set(digests) - equal)
        return claim("broken", f"{joined(f'{key} differs' for key in others)[:-1]}; {evidence}.", RESTORE)
    remedy = "The scores of the record are those of model.safetensors; delete the checkpoint if in doubt."
    return claim("cannot tell", f"{evidence}; the others are stored apart from their adapters.", remedy)


def _name(key: str, tensors: Mapping[str, Tensor]) -> str | None:
    """Name in model.safetensors of a tensor in a checkpoint: the same without `network.`.

    Exports in the format of another repository have its names; their tensors are found by their values.
    """
    _, _, name = key.partition(".")
    return next((prefix + name for prefix in PREFIXES if prefix + name in tensors), None)
