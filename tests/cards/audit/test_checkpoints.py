"""The checkpoint of a run holds the exported weights; reading it executes nothing."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import audited
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from cards.audit.claims import Claim
from cards.base import Spec
from cards.record import RunRecord

CHECKPOINT = "checkpoints/last.ckpt"


def claim(run: Path) -> Claim | None:
    """The claim on the checkpoint, if there is one."""
    return next((c for c in audited.claims_of(run, "weights") if "checkpoints/" in c.statement), None)


def verdict(run: Path) -> tuple[str, str]:
    found = claim(run)
    assert found is not None
    return found.verdict, found.evidence


def export(run: Path, **tensors: torch.Tensor) -> None:
    """Write model.safetensors."""
    path = run / "huggingface" / "model.safetensors"
    save_file({name: np.ascontiguousarray(tensor.numpy()) for name, tensor in tensors.items()}, path)


def write(run: Path, **tensors: torch.Tensor) -> None:
    """Write the checkpoint of a network."""
    audited.write_checkpoint(run / CHECKPOINT, **{f"network.{name}": t for name, t in tensors.items()})


def test_equal_weights_hold_whatever_their_order_in_memory(run: Path) -> None:
    kernel, stored, scalar = torch.rand(4, 3, 3, 3), torch.rand(8), torch.tensor(7)
    export(run, kernel=kernel, bias=stored[2:6], steps=scalar, none=torch.zeros(0, 3))
    in_memory = kernel.to(memory_format=torch.channels_last)
    write(run, kernel=in_memory, bias=stored[2:6], steps=scalar, none=torch.zeros(0, 3))
    assert verdict(run) == ("holds", "4 of 4 tensors are equal byte for byte.")


def test_another_weight_is_broken_although_an_optimizer_has_tensors_of_that_size(run: Path) -> None:
    audited.write_checkpoint(run / CHECKPOINT, **{"network.weight": torch.ones(16)})
    assert verdict(run) == ("broken", "weight differs.")


def test_the_decoder_alone_holds_if_the_encoder_was_frozen(run: Path) -> None:
    decoder = torch.rand(5)
    export(run, **{"decoder.head": decoder, "encoder.head": torch.rand(5)})
    write(run, head=decoder)
    assert verdict(run)[0] == "holds"
    write(run, head=decoder + 1)
    assert verdict(run) == ("broken", "decoder.head differs.")


def adapted_with(run: Path, adapter: str) -> None:
    """State in the record what was trained."""
    record = RunRecord.read(run)
    record.model.adapt = Spec(name=adapter)
    audited.write_record(run, record)


def test_weights_apart_from_their_adapter_cannot_be_decided(run: Path) -> None:
    adapted_with(run, "lora")
    export(run, weight=torch.rand(4, 4), bias=torch.ones(4))
    adapted = {"weight.base_layer": torch.rand(4, 4), "weight.lora_A": torch.rand(2, 4)}
    write(run, bias=torch.ones(4), **adapted)
    decided, evidence = verdict(run)
    assert decided == "cannot tell" and evidence.startswith("1 of 3 tensors")
    write(run, bias=torch.zeros(4), **adapted)
    assert verdict(run) == ("broken", "bias differs.")


def test_exports_with_the_names_of_another_repository_are_found_by_their_values(run: Path) -> None:
    adapted_with(run, "full")
    weight, bias = torch.rand(4, 4), torch.ones(4)
    export(run, **{"decode_head.weight": weight, "decode_head.bias": bias})
    write(run, **{"decoder.head.weight": weight, "decoder.head.bias": bias})
    assert verdict(run)[0] == "holds"
    write(run, **{"decoder.head.weight": weight, "decoder.head.bias": bias + 1})
    assert verdict(run)[0] == "broken" and "decoder.head.bias differs" in verdict(run)[1]


def test_the_checkpoint_of_the_best_epoch_counts_and_may_be_deleted(run: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    audited.write_checkpoint(best)
    audited.write_checkpoint(run / CHECKPOINT, **{"network.weight": torch.ones(16)})  # a later epoch
    audited.write_record(run, RunRecord.read(run))
    assert verdict(run)[0] == "holds"
    best.unlink()
    assert claim(run) is None


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_named_and_not_executed(run: Path, tmp_path: Path) -> None:
    content = {"state_dict": {"network.weight": torch.zeros(16)}, "extra": Malicious(tmp_path / "executed")}
    torch.save(content, run / CHECKPOINT)
    decided, evidence = verdict(run)
    assert decided == "broken" and ".mkdir, which is code" in evidence and "\n" not in evidence
    assert not (tmp_path / "executed").exists()


def archive(description: bytes, tensor: bytes = bytes(64), compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        file.writestr("archive/data.pkl", description)
        file.writestr("archive/data/0", tensor)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not readable"),
        (b"not a zip", "not readable"),
        (archive(b"not a pickle"), "not readable"),
        (archive(pickle.dumps([1, 2])), "it holds no weights"),
        (archive(pickle.dumps({"epoch": 3})), "it holds no weights"),
        (archive(pickle.dumps({"state_dict": None})), "it holds no weights"),
        (archive(pickle.dumps({"state_dict": {}})), "it holds no weights"),
        (archive(pickle.dumps({}), bytes(10**6), zipfile.ZIP_DEFLATED), "its tensors are compressed"),
    ],
    ids=["empty", "text", "no pickle", "a list", "no weights", "None", "no tensor", "compressed"],
)
def test_what_is_no_checkpoint_is_one_line(run: Path, content: bytes, reason: str) -> None:
    (run / CHECKPOINT).write_bytes(content)
    decided, evidence = verdict(run)
    assert decided == "broken" and evidence.startswith(CHECKPOINT) and "\n" not in evidence
    assert reason in evidence


def test_a_tensor_larger_than_its_file_is_broken(run: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"network.weight": torch.zeros(16)}}, buffer)
    with zipfile.ZipFile(buffer) as file:
        description = next(file.read(name) for name in file.namelist() if name.endswith("data.pkl"))
    (run / CHECKPOINT).write_bytes(archive(description.replace(b"K\x10", b"K\x7f"), bytes(64)))
    decided, evidence = verdict(run)
    assert decided == "broken" and "inside its file" in evidence
