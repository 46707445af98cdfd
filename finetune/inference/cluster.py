"""Prediction of large images on a Dask cluster: tiles and blocks are tasks, and workers write the results.

Tasks write the same files as `finetune.inference.streaming`, into a folder that all workers share. A task
whose worker dies is repeated by another one, and the label image is that of streaming in a single process to
the byte.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from cards.errors import InputError
from finetune.data.windows import open_windows
from finetune.inference.identity import identify
from finetune.inference.label_bands import LabelBands
from finetune.inference.model import Model
from finetune.inference.protocol import Predictor
from finetune.inference.scratch_job import KEY, ScratchJob
from finetune.inference.stream import Stream, StreamOptions
from finetune.inference.streaming import Progress
from finetune.inference.views import LayerValues
from finetune.utils.atomic import is_disk_full
from finetune.utils.optional import require

LOCAL = "local:"
LOST = "scheduler-connection-lost"  # reason of distributed for tasks that are cancelled
TIMEOUT = 20  # seconds until a scheduler that does not answer counts as missing
TILES = 4  # tiles of a task
RETRIES = 3  # how often a task is repeated that failed

LoadModel = Callable[[], Any]
"""Loads the model in a worker. It is pickled, so it must be a function of a module, or a `partial` of one."""


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster whose workers can load the model.

    Attributes:
        client: of the package distributed.
        load: loads the model in a worker.
        name: address, for messages.
    """

    client: Any
    load: LoadModel
    name: str

    def segment(
        self, stream: Stream, image: Path, options: StreamOptions, progress: Progress | None = None
    ) -> LabelBands:
        """Predict the label image of an image of any size, as `segment_stream` does.

        Args:
            stream: model, image and finished parts, of this process.
            image: the image, at a path that is the same for all workers.
            options: sizes of tiles and blocks.
            progress: called after each task.

        Returns:
            The label image.

        Raises:
            InputError: if the cluster is gone; finished parts are kept.
            OSError: if the disk is full.
        """
        report = progress or (lambda stage, done, total: None)
        task = Task(self.load, image.resolve(), stream.job.folder.resolve(), options)
        tiles = stream.job.missing("tiles", len(stream.tiles))
        if tiles:
            stream.measure(report, partial(self._sum_rows, task))
        self._run(partial(_predict, task), _batches(tiles, TILES), partial(report, "predicting"))
        blocks = stream.job.missing("blocks", sum(map(len, stream.blocks)))
        self._run(partial(_decode, task), _batches(blocks, 1), partial(report, "finding instances"))
        return stream.labels()

    def _sum_rows(self, task: Task, step: int, layers: LayerValues, rows: int) -> None:
        """Sum the values of layers in workers; this process reads the results."""
        batches = [[row] for row in range(rows)]
        self._run(partial(_sum_row, task, step, layers), batches, lambda done, total: None)

    def _run(
        self, work: Callable[[list[int]], None], batches: list[list[int]], report: Callable[[int, int], None]
    ) -> None:
        from distributed import as_completed
        from distributed.comm import CommClosedError

        if not batches:
            return
        try:
            futures = self.client.map(work, batches, pure=False, retries=RETRIES)
            for done, future in enumerate(as_completed(futures, loop=self.client.loop), 1):
                future.result()
                report(done, len(batches))
        except InputError:
            raise
        except Exception as error:  # of distributed, or of a worker
            if is_disk_full(error):
                raise
            lines = str(error).strip().splitlines()
            reason = lines[0] if lines else type(error).__name__
            if isinstance(error, CommClosedError) or LOST in reason:
                reason = "the connection to its scheduler is lost"
            raise InputError(
                f"--dask {self.name}: the cluster failed ({reason[:200]}); repeat the command, which "
                "continues with what is finished"
            ) from error


@contextmanager
def open_cluster(address: str, load: LoadModel) -> Iterator[Cluster]:
    """Connect to a Dask cluster, or start one on this machine.

    Args:
        address: of the scheduler, such as "tcp://10.0.0.1:8786", or "local:N" for N processes.
        load: loads the model in a worker.

    Yields:
        The cluster.

    Raises:
        InputError: if distributed is not installed, the address is wrong, or no scheduler answers.
    """
    require("distributed", "dask")
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if address.startswith(LOCAL):
            count = address.removeprefix(LOCAL)
            if not count.isdigit() or int(count) < 1:
                raise InputError(f"--dask {address}: give the number of processes, such as local:2")
            target: Any = stack.enter_context(
                LocalCluster(
                    n_workers=int(count),
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",  # any free port
                    silence_logs=logging.CRITICAL,  # a worker that dies is replaced
                )
            )
        else:
            target = address
            _check_address(address)
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # errors are raised, too
        try:
            client = stack.enter_context(Client(target, timeout=TIMEOUT, set_as_default=False))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"--dask {address}: no Dask scheduler answers there; start one with `dask scheduler`, or "
                "give local:N for N processes on this machine"
            ) from error
        yield Cluster(client, load, address)


def _check_address(address: str) -> None:
    """Refuse what is no address: a client that could not start blocks the end of the process."""
    from distributed.comm import get_address_host, parse_address, parse_host_port

    try:
        parse_host_port(parse_address(address)[1])
        get_address_host(address)  # refuses unknown protocols
    except ValueError as error:
        raise InputError(
            f"--dask {address}: is no address of a scheduler, such as tcp://10.0.0.1:8786; give local:N for "
            "N processes on this machine"
        ) from error


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of an image.

    Attributes:
        load: loads the model.
        image: absolute path of the image.
        folder: absolute path of the folder of finished parts.
        options: sizes of tiles and blocks.
    """

    load: LoadModel
    image: Path
    folder: Path
    options: StreamOptions


_streams: dict[str, Stream] = {}  # of the image that this worker has open, by content of job.json
_opened = ExitStack()  # the file of this image
_lock = threading.Lock()  # of the network: one task at a time in a process


def _sum_row(task: Task, step: int, layers: LayerValues, rows: list[int]) -> None:
    """Sum the values of layers over rows of tiles, and write the sums."""
    with _lock:
        stream = _open(task)
        for row in rows:
            stream.sum_row(0, 0, step, row, layers)


def _predict(task: Task, numbers: list[int]) -> None:
    """Predict tiles and write their maps."""
    with _lock:
        stream = _open(task)
        statistics = stream.measure()
        for number in numbers:
            (maps,) = stream.predict([number], stream.read_tiles([number], statistics))
            stream.save_tile(number, maps)


def _decode(task: Task, numbers: list[int]) -> None:
    """Decode blocks and write their labels."""
    with _lock:
        stream = _open(task)
        for number in numbers:
            stream.decode(number)


def _open(task: Task) -> Stream:
    """The image of a task, opened once in a worker. The image before it is complete: it is closed."""
    try:
        key = (task.folder / KEY).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{task.folder}: a worker cannot read it; --out must be a folder that all workers share"
        ) from error
    if key not in _streams:
        wanted = json.loads(key)["model"]
        loaded = [stream.model for stream in _streams.values() if _is_model(stream.model, wanted)]
        model = loaded[0] if loaded else task.load()
        if not _is_model(model, wanted):
            raise InputError("a worker loads another model than this process; all must have the same files")
        _streams.clear()
        _opened.close()
        windows = _opened.enter_context(open_windows(task.image))
        _streams[key] = Stream(model, windows, ScratchJob(task.folder), task.options)
    return _streams[key]


def _is_model(model: Predictor, identity: Any) -> TypeGuard[Model]:
    return isinstance(model, Model) and json.loads(json.dumps(identify(model))) == identity


def _batches(numbers: Sequence[int], size: int) -> list[list[int]]:
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]
