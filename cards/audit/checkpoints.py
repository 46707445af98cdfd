"""Claim on the checkpoint of a run: it holds the weights that were exported."""

from __future__ import annotations

from collections.abc import Mapping

from cards.audit.claims import Claim, Subject, Verdict, joined, sentence
from cards.audit.tensors import Tensor
from cards.audit.torch_files import torch_tensors
from cards.errors import ModelError
from cards.formatting import counted
from cards.record import RunRecord

FAMILY = "weights"
BEST, LAST = "checkpoints/best.ckpt", "checkpoints/last.ckpt"
RESTORE = "Restore the checkpoint of this run; do not resume from the present one."
PREFIXES = ("", "decoder.")  # the decoder alone is trained on precomputed features of a frozen encoder


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
        digests = {key: tensor.digest() for key, tensor in torch_tensors(path, name).items()}
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
