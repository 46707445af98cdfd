"""Is an interrupted publication ever silently incomplete? Injects a fault at each request of a publication.

    python benchmarks/publishing.py [--scenario NAME] [--show]

A small finished run is published to servers on this machine: to a new repository on Hugging Face, in a
pull request, and as a draft on BioImage.IO. Each kind of request meets each fault: 401, 403, 409, 413, 429,
500, a connection that breaks before the request is carried out, and one that breaks afterwards; once, and
from then on. Survived means: the first call ends with everything in place, or with one line that says truly
what is there and exit code 1 or 2; the second call, without the fault, completes the publication; nothing is
published twice.

Prints the faults that were not survived, then `survived N of M`. The exit code is 0 only if all were.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "support")]


def main() -> int:
    from publish_faults import MODES, SCENARIOS, Bench, matrix

    parser = argparse.ArgumentParser(description="Inject faults into publications and count those survived.")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only this one; repeatable")
    parser.add_argument("--show", action="store_true", help="print every fault, not only those not survived")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    survived = total = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for name in arguments.scenario or SCENARIOS:
            for fault in matrix(bench, name):
                problems = bench.judge(name, fault)
                survived, total = survived + (not problems), total + 1
                if problems or arguments.show:
                    place = f"{name}: {fault.label}, no. {fault.occurrence}"
                    outcome = "; ".join(problems) or "survived"
                    print(f"{place}: {fault.kind}, {MODES[fault.persistent]}: {outcome}", flush=True)
    print(f"survived {survived} of {total}")
    return 0 if survived == total else 1


if __name__ == "__main__":
    sys.exit(main())
