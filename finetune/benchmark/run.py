"""Run a benchmark: measure all models on the same images and write tables, plot and report."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from cards.benchmark.results import FILE, Benchmark, ModelResult
from cards.environment import capture_environment
from cards.errors import InputError
from cards.fingerprint import sha256_file
from cards.paths import expand_user
from cards.scores import ImageScore
from finetune.benchmark.describe import Description, describe_model
from finetune.benchmark.fractions import run_fractions
from finetune.benchmark.images import BenchmarkImages, find_images
from finetune.benchmark.measure import measure
from finetune.benchmark.rows import model_result
from finetune.benchmark.schema import BenchmarkFile, ModelEntry
from finetune.benchmark.tune import check_names, run_recipe
from finetune.benchmark.write import write_outputs
from finetune.inference.protocol import Predictor
from finetune.loading import load
from finetune.loading.published import load_published, published_name
from finetune.utils.atomic import disk_errors, write_file
from finetune.utils.lock import FileLock, LockedError
from finetune.utils.registration import providers
from finetune.utils.scratch import LOCK

OTHER_FOLDER = "choose another folder with --out"


def run_benchmark(benchmark: BenchmarkFile, out: Path, console: Console) -> Benchmark:
    """Measure all models of a benchmark; continue where an earlier call stopped.

    A model that fails becomes a row that says why; the next call tries it again.

    Args:
        benchmark: the benchmark file.
        out: folder of the results: a new one, or that of an earlier call with the same images.
        console: where progress is shown.

    Returns:
        The results, as written to `benchmark.json`.

    Raises:
        InputError: if there are no models or images, a model is listed twice, two recipes have the same name,
            or the folder holds anything else.
    """
    if not benchmark.models and not benchmark.tune:
        raise InputError(f"{benchmark.name}: no models; list them under models or tune")
    for number, model in enumerate(benchmark.models):
        if any(_is_same(model, other) for other in benchmark.models[:number]):
            raise InputError(f"{benchmark.name}: {model.model} is listed twice; list each model once")
    check_names(benchmark)
    if benchmark.fractions and not benchmark.tune:
        raise InputError(
            f"{benchmark.name}: fractions need a recipe; list it under tune, or add --tune RECIPE"
        )
    images = find_images(benchmark, console)
    for warning in images.warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    _check_folder(out)
    lock = FileLock(out / LOCK)
    try:
        with disk_errors(out, OTHER_FOLDER):
            out.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except LockedError as error:
        raise InputError(f"{out}: another benchmark is running there ({error}); {OTHER_FOLDER}") from error
    try:
        results = _start(benchmark, images, out, console)
        done = {result.key: result for result in results.results if result.error is None}
        results.results = []
        for result in _results(benchmark, images, out, done, console):
            if result.hardware == results.hardware:
                result.hardware = None
            results.results.append(result)
            done.pop(result.key, None)
            # Earlier results that this call has not reached yet are kept, in case it is interrupted.
            kept = results.model_copy(update={"results": [*results.results, *done.values()]})
            with disk_errors(out, OTHER_FOLDER):
                write_file(out / FILE, kept.dumps())
        with disk_errors(out, OTHER_FOLDER):
            write_file(out / FILE, results.dumps())
        for entry in benchmark.tune if benchmark.fractions else ():
            for fraction in run_fractions(entry, benchmark, images, out, console):
                results.fractions.append(fraction)
                with disk_errors(out, OTHER_FOLDER):
                    write_file(out / FILE, results.dumps())
        write_outputs(results, out, benchmark.within)
    finally:
        lock.release()
    return results


def _is_same(entry: ModelEntry, other: ModelEntry) -> bool:
    return entry.model_copy(update={"title": None}) == other.model_copy(update={"title": None})


def _check_folder(out: Path) -> None:
    if not out.exists() or (out / FILE).is_file():
        return
    if not out.is_dir() or any(path.name != LOCK for path in out.iterdir()):
        raise InputError(f"{out}: exists and holds no benchmark; {OTHER_FOLDER}")


def _start(benchmark: BenchmarkFile, images: BenchmarkImages, out: Path, console: Console) -> Benchmark:
    """Results of an earlier call in the folder, or none yet."""
    results = Benchmark(
        title=benchmark.title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        finetune_version=version("finetune"),
        data=images.data,
        data_digest=images.digest,
        dice_of="boundary" if images.labels == "boundary" else "foreground",
        images=[file.name for file in images.files],
        results=[],
        quoted=benchmark.quoted,
        quoted_from=benchmark.quoted_from,
        environment=capture_environment([], providers()),
        device="",
        threads=torch.get_num_threads(),
    )
    results.device = results.environment.cpu
    if (out / FILE).is_file():
        earlier = Benchmark.read(out / FILE)
        if earlier.data_digest != images.digest:
            raise InputError(f"{out}: holds a benchmark on other images; {OTHER_FOLDER}")
        results.results, results.unrelated = earlier.results, earlier.unrelated
        for result in results.results:  # this call may run on other hardware
            timed_on = result.hardware or earlier.hardware
            result.hardware = None if timed_on == results.hardware else timed_on
    else:
        results.unrelated = images.unrelated(console)
    with disk_errors(out, OTHER_FOLDER):
        write_file(out / FILE, results.dumps())
    return results


def _results(
    benchmark: BenchmarkFile,
    images: BenchmarkImages,
    out: Path,
    done: dict[str, ModelResult],
    console: Console,
) -> Iterator[ModelResult]:
    for entry in benchmark.models:
        key = _key(entry, images)
        yield done.get(key) or _measure(entry, key, images, console)
    for tuned in benchmark.tune:
        yield from run_recipe(tuned, benchmark, images, out, done, console)


def _measure(entry: ModelEntry, key: str, images: BenchmarkImages, console: Console) -> ModelResult:
    model: Predictor | None = None
    scores: list[ImageScore] = []
    problem = None
    try:
        model = _load(entry)
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task(f"measuring {entry.title or entry.model}", total=len(images.pairs))
            scores = measure(model, images.read(), images.labels, lambda: progress.advance(bar))
    except InputError as error:
        problem = str(error).removeprefix(f"{entry.title or entry.model}: ")
    except (RuntimeError, MemoryError, ValueError) as error:  # of the network: one model must not end all
        problem = next(iter(str(error).strip().splitlines()), type(error).__name__)
    if problem:
        line = f"{entry.title or entry.model}: {problem}"
        console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
    result = model_result(_describe(entry, model, images), key, scores if not problem else [], problem)
    del model
    gc.collect()
    return result


def _load(entry: ModelEntry) -> Predictor:
    published = published_name(entry.model)
    if entry.checkpoint is not None:
        if published is None or entry.ensemble:
            raise InputError(
                f"{entry.model}: checkpoint needs a model as repository:name, without an ensemble"
            )
        checkpoint = expand_user(entry.checkpoint)
        return load_published(published, checkpoint=checkpoint, trust=entry.trust, target=entry.target)
    return load([entry.model, *entry.ensemble], trust=entry.trust, target=entry.target)


def _describe(entry: ModelEntry, model: Predictor | None, images: BenchmarkImages) -> Description:
    try:
        return describe_model(entry, model, images.files)
    except InputError:  # no such model, which its row says
        return Description(entry.title or Path(entry.model).name, "")


def _key(entry: ModelEntry, images: BenchmarkImages) -> str:
    """Identifies a model and the images; weights that change in a run folder or file change the key, too."""
    paths = [expand_user(model) for model in (entry.model, *entry.ensemble)]
    paths += [expand_user(entry.checkpoint)] if entry.checkpoint else []
    records = [path / "record.json" for path in paths]
    state = b"".join(record.read_bytes() for record in records if record.is_file())
    state += "".join(sha256_file(path) for path in paths if path.is_file()).encode()
    content = entry.model_dump_json(exclude=None if entry.ensemble else {"ensemble"})
    return hashlib.sha256(f"{images.digest} {content}".encode() + state).hexdigest()
