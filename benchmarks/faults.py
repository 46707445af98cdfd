"""Does finetune survive what goes wrong? Injects every known fault and judges what a user would observe.

    python benchmarks/faults.py [--only PATTERN] [--group GROUP] [--list] [--keep DIR] [--jobs N]

Each fault runs the real command line in a fresh folder: damaged weights, malicious packages, killed
processes, full disks, a Hub that fails, images and masks as people really have them. Survived means: a right
result, or one line that says what to do; exit status 2 for what the user can mend; no traceback; no input
changed; nothing half-written; no content of a local file in any output. Prints a row for each fault, then
`survived N of M`. The exit status is 0 only if all were survived. A fault that this machine cannot inject is
listed as skipped and is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import hashlib
import importlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests" / "support")]

PRELOAD = (
    "torch",
    "torchvision",
    "pytorch_lightning",
    "matplotlib.figure",
    "bioimageio.spec",
    "bioimageio.core",
    "huggingface_hub",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "finetune.cli.main",
    "finetune.pipeline.runner",
    "finetune.pipeline.dry_run",
    "finetune.inference.model",
    "finetune.export.huggingface",
    "finetune.export.bioimageio",
    "finetune.export.verification",
)
"""Modules that take seconds to import, and that all forks share."""

MANY = 20
"""Scenarios from which on sharing the imports saves time: many end before they need one."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Inject every known fault and count those survived.")
    parser.add_argument("--only", help="ids of faults, such as 'bp_*,k1_r'; a scenario runs whole")
    parser.add_argument("--group", help="only faults of this group")
    parser.add_argument("--list", action="store_true", help="print the faults and stop")
    parser.add_argument("--keep", type=Path, help="keep all files in this folder")
    parser.add_argument("--jobs", type=int, default=1, help="faults at a time")
    options = parser.parse_args()
    scenarios = _selected(options.only, options.group)
    if options.list:
        for scenario in scenarios:
            for name, description in scenario.rows:
                print(f"{name:24} {scenario.group:12} {description}")
        return 0
    if not scenarios:
        print("no such fault", file=sys.stderr)
        return 2
    root = (options.keep or Path(tempfile.mkdtemp(prefix="faults-"))).absolute()
    shared = root / f"shared-{_version()}"
    _environment(shared)
    if len(scenarios) >= MANY:
        _preload()
    try:
        return _run_all(scenarios, root, shared, options.jobs)
    finally:
        if not options.keep:
            shutil.rmtree(root, ignore_errors=True)


def _selected(only: str | None, group: str | None) -> list:
    from fault_cases.registry import MODULES, SCENARIOS

    for module in MODULES:
        if (HERE / "fault_cases" / f"{module}.py").exists():
            importlib.import_module(f"fault_cases.{module}")
    patterns = only.split(",") if only else ["*"]
    return [
        scenario
        for scenario in SCENARIOS
        if group in (None, scenario.group)
        and any(fnmatch.fnmatch(name, pattern) for name, _ in scenario.rows for pattern in patterns)
    ]


def _version() -> str:
    """Hash of the product's source: inputs that another version made, such as runs, are not used again."""
    digest = hashlib.sha1()
    for package in ("cards", "finetune"):
        for path in sorted((HERE.parent / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _environment(shared: Path) -> None:
    """No network, no cache of the user's, one thread: before anything heavy is imported."""
    (shared / "logs").mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "FINETUNE_"))]:
        del os.environ[name]
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(shared / "hf"),
        "FINETUNE_CACHE": str(shared / "cache"),
        "BIOIMAGEIO_CACHE_PATH": str(shared / "bioimageio"),
        "MPLCONFIGDIR": str(shared / "matplotlib"),
        "PYTHONPATH": os.pathsep.join(sys.path[:3]),
    }
    os.environ.pop("COLUMNS", None)
    warnings.simplefilter("ignore")  # of torch.jit, where the faults are built


def _preload() -> None:
    for module in PRELOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def _run_all(scenarios: list, root: Path, shared: Path, jobs: int) -> int:
    (root / "secret").mkdir(exist_ok=True)
    secret_file, results = root / "secret" / "passwd", root / f"results-{os.getpid()}.jsonl"
    if not secret_file.exists():
        secret_file.write_text(f"SECRET-{secrets.token_hex(8)}\nsecond line\n")
    secret = secret_file.read_text().split()[0]
    running, waiting, descriptions = set(), list(scenarios), {}
    results.touch()
    shown = 0
    while waiting or running:
        while waiting and len(running) < jobs:
            scenario = waiting.pop(0)
            descriptions.update(scenario.rows)
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                _judge(scenario, root, shared, secret, results)
            running.add(child)
        done, _ = os.waitpid(-1, os.WNOHANG)
        running.discard(done)
        rows = [json.loads(line) for line in results.read_text().splitlines()]
        for row in rows[shown:]:
            words = f"{row['id']:24} {row['verdict']:8} {descriptions[row['id']]}"
            print(f"{words}: {row['reason']}" if row["reason"] else words, flush=True)
        shown = len(rows)
        if not done:
            time.sleep(0.05)
    return _summary(rows, sum(len(scenario.rows) for scenario in scenarios))


def _judge(scenario, root: Path, shared: Path, secret: str, results: Path) -> None:
    """In a process of its own: run one scenario and append its verdicts to the results."""
    from fault_cases.bench import Bench

    status = 1
    try:
        folder = root / "faults" / scenario.rows[0][0]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

        def report(name: str, verdict: str, reason: str) -> None:
            row = {"id": name, "group": scenario.group, "verdict": verdict, "reason": reason}
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")

        bench = Bench(folder, shared, secret, report=report)
        if len(scenario.rows) == 1:
            with bench.row(scenario.rows[0][0]):
                scenario.check(bench)
        else:
            problem = ""
            try:
                scenario.check(bench)
            except Exception as error:
                problem = f": {type(error).__name__}: {error}"
            for name, _ in scenario.rows:
                if name not in bench.rows:
                    report(name, "FAILED", f"not reached{problem}")
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _summary(rows: list[dict[str, str]], total: int) -> int:
    counts = {verdict: 0 for verdict in ("survived", "FAILED", "skipped")}
    groups: dict[str, list[str]] = {}
    for row in rows:
        counts[row["verdict"]] += 1
        groups.setdefault(row["group"], []).append(row["verdict"])
    print()
    for group, verdicts in groups.items():
        judged = [verdict for verdict in verdicts if verdict != "skipped"]
        print(f"{group:14} {judged.count('survived')} of {len(judged)}")
    for row in rows:
        if row["verdict"] == "skipped":
            print(f"skipped: {row['id']}: {row['reason']}")
    missing = total - len(rows)
    if missing:
        print(f"{missing} faults were not judged")
    print(f"survived {counts['survived']} of {counts['survived'] + counts['FAILED'] + missing}")
    return 1 if counts["FAILED"] or missing else 0


if __name__ == "__main__":
    sys.exit(main())
