"""Time of recomputing the scores of a run in an audit, as a multiple of predicting the same images.

    python benchmarks/audit_recompute.py RUN IMAGES [ROUNDS]

Both load the model, read the test images and segment each of them. The audit also computes all metrics and
compares instances. The rounds alternate, and the median of each is compared.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from cards.record import RunRecord
from finetune.data.images import read_image
from finetune.loading import load
from finetune.pipeline.audit_data import locate
from finetune.pipeline.recompute import recompute


def predict(run: Path, data: Path, record: RunRecord) -> None:
    """Segment the test images, and nothing else."""
    model = load(run)
    for _, pair in locate(data, record, ["test"]):
        model.predict(read_image(pair.image, pair.page))


def main(run: Path, data: Path, rounds: int) -> None:
    """Time both, one after the other, and print the ratio."""
    record = RunRecord.read(run)
    seconds: dict[str, list[float]] = {"prediction": [], "recomputation": []}
    for number in range(rounds + 1):
        for name, function in (("prediction", predict), ("recomputation", recompute)):
            start = time.perf_counter()
            function(run, data, record)
            if number:  # the first round imports packages and warms caches up
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.2f} s for {record.data.count('test')} images")
    print(f"ratio: {medians['recomputation'] / medians['prediction']:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 3)
