"""Interrupted publications: what finetune says is there is there, and a second call completes the rest.

`benchmarks/publishing.py` injects every fault at every request; here are one or two of each kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults_http import Fault
from publish_faults import Bench

ROOT = Path(__file__).parents[3]
COMMIT, TAG = "POST /api/models/ID/commit/main", "POST /api/models/ID/tag/HASH"
BRANCH, BATCH = "POST /api/models/ID/branch/v1.0.0", "POST /ID/info/lfs/objects/batch"
PUT, REFS = "PUT /store-upload/HASH", "GET /api/models/ID/refs"
SERVICE = "/public/services/artifact-manager"

FAULTS = [
    ("huggingface", Fault("GET /api/whoami-v2", 1, "401", True)),
    ("huggingface", Fault("POST /api/repos/create", 1, "disconnect after")),
    ("huggingface", Fault(BATCH, 1, "413", True)),
    ("huggingface", Fault(PUT, 1, "403", True)),
    ("huggingface", Fault(COMMIT, 1, "409")),
    ("huggingface", Fault(COMMIT, 1, "500", True)),
    ("huggingface", Fault(COMMIT, 1, "disconnect after", True)),
    ("huggingface", Fault("GET /ID/resolve/COMMIT/FILE", 14, "429", True)),
    ("huggingface", Fault(REFS, 3, "500", True)),
    ("huggingface", Fault(TAG, 1, "disconnect after")),
    ("huggingface", Fault(BRANCH, 1, "403", True)),
    ("pull request", Fault(f"{COMMIT}?create_pr=1", 1, "disconnect after")),
    ("bioimageio", Fault(f"POST {SERVICE}/create", 1, "disconnect before")),
    ("bioimageio", Fault("PUT /store/FILE", 3, "500", True)),
    ("bioimageio", Fault(f"POST {SERVICE}/edit", 1, "disconnect after", True)),
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("publishing"))


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=lambda value: str(value)[:80])
def test_an_interrupted_publication_is_reported_truly_and_completed_by_a_second_call(
    bench: Bench, name: str, fault: Fault
) -> None:
    places = bench.requests(name)
    assert fault.label in {label for label, _ in places}
    assert bench.judge(name, fault) == []


@pytest.mark.slow
def test_every_fault_at_every_request_is_survived() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "publishing.py")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout
