"""A run on several computers, tried with two processes on one: SLURM, Lightning's own variables, torchrun."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cards.record import RunRecord

WEIGHTS = "huggingface/model.safetensors"
SHARED = ["data.validation=0.3", "compute.accelerator=cpu", "compute.strategy=ddp"]


def variables(scheduler: str, rank: int, port: int) -> dict[str, str]:
    """What a scheduler sets in the process of a rank."""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if scheduler == "lightning":
        return address | {"NODE_RANK": str(rank)}
    if scheduler == "torchrun":
        ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        run = {"TORCHELASTIC_RUN_ID": "1", "TORCHELASTIC_RESTART_COUNT": "0"}
        return address | run | {name: str(value) for name, value in ranks.items()}
    slurm = {"JOB_ID": 77, "JOB_NAME": "train", "NTASKS": 2, "NTASKS_PER_NODE": 1, "NNODES": 2}
    slurm |= {"PROCID": rank, "LOCALID": 0, "NODEID": rank}
    return address | {f"SLURM_{name}": str(value) for name, value in slurm.items()}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def train(folder: Path, recipe: Path, out: str, *arguments: str, scheduler: str | None = None) -> None:
    port = free_port()
    command = [sys.executable, "-m", "finetune.cli", "run", str(recipe), *SHARED, *arguments, "--out", out]
    processes = [
        subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | (variables(scheduler, rank, port) if scheduler else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2 if scheduler else 1)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheduler", "arguments"),
    [
        ("slurm", ["compute.nodes=2", "compute.devices=1"]),
        ("lightning", ["compute.nodes=2", "compute.devices=1"]),
        ("torchrun", ["compute.devices=2"]),
    ],
)
def test_two_processes_write_one_run_with_the_result_of_one(
    tmp_path: Path, recipe_file: Path, scheduler: str, arguments: list[str]
) -> None:
    train(tmp_path, recipe_file, "one", "compute.strategy=auto")
    train(tmp_path, recipe_file, "two", *arguments, scheduler=scheduler)
    one, two = (load_file(tmp_path / name / WEIGHTS) for name in ("one", "two"))
    for key, tensor in one.items():
        torch.testing.assert_close(two[key], tensor, atol=1e-3, rtol=0)
    assert RunRecord.read(tmp_path / "two").accuracy is not None
    assert not list(tmp_path.glob("*.partial"))
