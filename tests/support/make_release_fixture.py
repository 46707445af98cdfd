"""Writes what a release leaves on disk, for tests that later versions still read it.

Run once per release, from the root of the repository, and commit the folder:

    python tests/support/make_release_fixture.py 0.2.0
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from discs import RECIPE, write_discs

SMALL = ["model.options={width: 4, depth: 1}", "training.epochs=8", "training.images_per_epoch=48"]
FIXTURES = Path(__file__).parents[1] / "fixtures"


def make(version: str) -> None:
    """Write `tests/fixtures/VERSION`: data, recipe, finished run, unfinished run and predicted labels."""
    target = FIXTURES / version
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        write_discs(work / "discs" / "train", 5)
        write_discs(work / "discs" / "test", 2, seed=1)
        (work / "discs.yaml").write_text(RECIPE.replace("ROOT", "discs"))
        command = [sys.executable, "-m", "finetune.cli"]
        subprocess.run([*command, "run", "discs.yaml", *SMALL, "--out", "run"], cwd=work, check=True)
        subprocess.run(
            [*command, "predict", "run", "discs/test/images", "--out", "labels"], cwd=work, check=True
        )
        long = [*SMALL, "training.images_per_epoch=400", "--out", "unfinished"]
        process = subprocess.Popen(
            [*command, "run", "discs.yaml", *long], cwd=work, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        for line in process.stderr:
            if "epoch 3/" in line:
                process.send_signal(signal.SIGINT)
        process.wait()
        for folder in ("run", "unfinished.partial"):
            shutil.rmtree(work / folder / "logs", ignore_errors=True)
        shutil.rmtree(work / "run" / "checkpoints")
        shutil.rmtree(work / "run" / "huggingface" / "pictures")
        (work / "run" / "report.html").unlink()
        shutil.copytree(work, target)


if __name__ == "__main__":
    make(sys.argv[1])
