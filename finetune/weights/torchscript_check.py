"""Check of TorchScript before its first call: only operators that compute, no files, no processes.

TorchScript is a program. `torch.jit.load` and `forward` run no Python, but operators such as `aten::save` and
`aten::from_file` write and read any file of the user. The check has two steps, because loading already runs
the method `__setstate__` of the classes in the archive:

1. before loading: the archive has a sane size and defines no `__setstate__`, so loading runs nothing;
2. after loading: each operator in each method, hook, function and submodule is on the allow-list of
   `torchscript_operators`.
"""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cards.archives import DAMAGED
from cards.errors import ModelError
from finetune.weights.torchscript_operators import is_allowed

if TYPE_CHECKING:
    from torch.jit import ScriptModule

MAX_EXPANSION = 20  # times the size of the file; torch stores its archives without compression
SLACK = 64 * 2**20  # bytes that a small archive may have beyond that


def load_torchscript(content: bytes, where: str, *, trust: bool = False) -> ScriptModule:
    """Load TorchScript to the CPU after checking what it can do.

    Args:
        content: bytes of the file.
        where: name of the file for error messages.
        trust: skip the check of operators; for models whose author the user trusts.

    Returns:
        The module. Nothing of it has been called.

    Raises:
        ModelError: if the file is damaged, is not TorchScript, or uses an operator that is not allowed.
    """
    import torch

    if not trust:
        _check_archive(content, where)
    try:
        with deprecation_ignored():
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")
    except Exception as error:  # torch raises whatever its archive reader raises
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"{where}: not TorchScript, or truncated: {reason[:200]}") from error
    if not trust:
        check_operators(module, where)
    return module


def check_operators(module: ScriptModule, where: str) -> None:
    """Check that a loaded module uses only operators on the allow-list.

    Args:
        module: as loaded, before its first call.
        where: name of the file for error messages.

    Raises:
        ModelError: naming the first operators that are not on the list.
    """
    unknown = {
        operator for graph in _graphs(module) for operator in _operators(graph) if not is_allowed(operator)
    }
    if unknown:
        named = ", ".join(sorted(unknown)[:3])
        raise ModelError(
            f"{where}: its TorchScript uses {named}, which is not on the list of operators that only compute "
            "and could read or write files; set model.trust=true only if you trust the author of this model"
        )


def _check_archive(content: bytes, where: str) -> None:
    """Check sizes, and that loading the archive calls no method of it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > MAX_EXPANSION * len(content) + SLACK:
                raise ModelError(f"{where}: expands to {size:,} bytes, far more than a model of its size")
            names = [entry.filename for entry in entries]
            if not any(name.endswith("/constants.pkl") for name in names):
                raise ModelError(f"{where}: not TorchScript: the archive has no constants.pkl")
            for name in names:
                if "/code/" in name and b"__setstate__" in archive.read(name):
                    raise ModelError(
                        f"{where}: its TorchScript runs code when it is loaded (__setstate__ in {name}); "
                        "set model.trust=true only if you trust the author of this model"
                    )
    except (OSError, UnicodeDecodeError, *DAMAGED) as error:
        raise ModelError(f"{where}: not TorchScript, or truncated: {error}") from error


def _graphs(module: ScriptModule) -> Iterator[Any]:
    """Graphs of every method and hook of a module and its submodules, with all calls inlined."""
    import torch

    inline = torch._C._jit_pass_inline
    for submodule in module.modules():
        compiled: Any = submodule._c
        functions = [compiled._get_method(name) for name in compiled._method_names()]
        hooks: Iterable[Any] = [*compiled._get_forward_hooks(), *compiled._get_forward_pre_hooks()]
        for function in (*functions, *hooks):
            graph = function.graph.copy()
            inline(graph)
            yield graph


def _operators(block: Any) -> Iterator[str]:
    """Kinds of all nodes of a graph or block, such as "aten::conv2d", calls included."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from _operators(inner)
        for attribute in node.attributeNames():
            if node.kindOf(attribute) == "g":
                yield from _operators(node.g(attribute))


@contextlib.contextmanager
def deprecation_ignored() -> Iterator[None]:
    """Suppress deprecation warnings of `torch.jit`, on which a user cannot act."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", message=r".*torch\.jit.*", category=category)
        yield
