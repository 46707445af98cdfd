"""Large images segmented by worker processes of Dask."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from saved_model import save_small_model
from spots_model import spots_model, write_spots

from cards.errors import InputError
from finetune.inference.large_images import segment_large
from finetune.inference.model import Model
from finetune.inference.scratch_job import job_folder
from finetune.inference.stream import StreamOptions
from finetune.loading import load

pytest.importorskip("distributed")

from finetune.inference.cluster import Cluster, open_cluster

OPTIONS = StreamOptions(tile=64, block=128, margin=32)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two worker processes on this machine."""
    with open_cluster("local:2", spots_model) as opened:
        yield opened


def test_a_worker_is_killed_midway_and_the_labels_are_the_same(cluster: Cluster, tmp_path: Path) -> None:
    image = write_spots(tmp_path / "spots.tif", 400, 500)
    alone, together = tmp_path / "alone.tif", tmp_path / "together.tif"
    instances = segment_large(spots_model(), image, alone, options=OPTIONS)
    assert len(cluster.client.run(os.getpid)) == 2
    killed = []

    def kill(stage: str, done: int, total: int) -> None:
        if not killed and done > 2:
            killed.append(next(iter(cluster.client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    assert (
        segment_large(spots_model(), image, together, options=OPTIONS, progress=kill, cluster=cluster)
        == instances
    )
    assert killed
    assert together.read_bytes() == alone.read_bytes()
    assert not job_folder(together).exists()


def test_workers_with_another_model_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    image, other = write_spots(tmp_path / "spots.tif", 100, 100), spots_model()
    other.network.level.data += 0.1
    with pytest.raises(InputError, match="another model"):
        segment_large(other, image, tmp_path / "labels.tif", options=OPTIONS, cluster=cluster)
    assert not (tmp_path / "labels.tif").exists()


def test_workers_with_another_precision_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    image, folder = write_spots(tmp_path / "spots.tif", 100, 130), save_small_model(tmp_path / "model")
    model = load(folder, precision="bf16")
    assert isinstance(model, Model)
    together, alone = tmp_path / "together.tif", tmp_path / "alone.tif"
    for precision in ("float32", "bf16"):
        workers = replace(cluster, load=partial(load, folder, precision=precision))
        with nullcontext() if precision == "bf16" else pytest.raises(InputError, match="another model"):
            segment_large(model, image, together, options=OPTIONS, cluster=workers)
    segment_large(model, image, alone, options=OPTIONS)
    assert together.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("address", ["somewhere", "http://127.0.0.1:9"])
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with (
        pytest.raises(InputError, match=f"--dask {address}: is no address of a scheduler"),
        open_cluster(address, spots_model),
    ):
        pass


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune.inference.cluster.TIMEOUT", 1)
    with (
        pytest.raises(InputError, match="no Dask scheduler answers"),
        open_cluster("tcp://127.0.0.1:9", spots_model),
    ):
        pass


@pytest.mark.parametrize("address", ["local:", "local:0", "local:two"])
def test_the_number_of_processes_must_be_a_number(address: str) -> None:
    with pytest.raises(InputError, match="local:2"), open_cluster(address, spots_model):
        pass


@pytest.mark.slow
def test_a_scheduler_that_dies_midway_is_one_line_and_the_same_call_continues(tmp_path: Path) -> None:
    image = write_spots(tmp_path / "spots.tif", 400, 500)
    alone, together = tmp_path / "alone.tif", tmp_path / "together.tif"
    segment_large(spots_model(), image, alone, options=OPTIONS)
    address = tmp_path / "scheduler.json"
    with ExitStack() as stack:

        def start(name: str, *arguments: object) -> subprocess.Popen[bytes]:
            words = [sys.executable, "-m", f"distributed.cli.dask_{name}", *map(str, arguments)]
            process = subprocess.Popen(
                [*words, "--scheduler-file", str(address), "--no-dashboard"],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.kill)
            return process

        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", 0)
        start("worker", "--nworkers", 1, "--nthreads", 1)
        while not (address.exists() and address.read_text().endswith("}")):  # it is not written atomically
            assert scheduler.poll() is None, "the scheduler ended"
            time.sleep(0.1)
        found = json.loads(address.read_text())["address"]
        opened = stack.enter_context(open_cluster(found, spots_model))
        kill = lambda stage, done, total: scheduler.kill() if done == 2 else None  # noqa: E731
        with pytest.raises(InputError, match="the connection to its scheduler is lost.*; repeat the command"):
            segment_large(spots_model(), image, together, options=OPTIONS, progress=kill, cluster=opened)
    assert any((job_folder(together) / "tiles").iterdir())
    segment_large(spots_model(), image, together, options=OPTIONS)
    assert together.read_bytes() == alone.read_bytes()
