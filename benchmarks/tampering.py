"""Tamper with a finished run in many ways, one at a time, and count how many the audit finds.

    python benchmarks/tampering.py [WORD ...]

Makes a small run, copies it for each kind of tamper, changes the copy and audits it. A tamper is found if a
claim of the expected family is broken. Most kinds also correct the hashes in the record, or render the cards
again. Words select the kinds whose name contains one of them. Exit code 1 if one is not found, or if a claim
of the untouched run is broken.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

from discs import write_discs  # noqa: E402
from tamper_cases.edits import Place, write_key  # noqa: E402
from tamper_cases.kinds import QUICK, RECOMPUTE  # noqa: E402

import finetune  # noqa: E402
from cards.audit.claims import Claim  # noqa: E402
from cards.provenance.trust import TrustRoot  # noqa: E402
from finetune.recipe.reader import read_recipe  # noqa: E402

RELEASE = ROOT / "tests" / "fixtures" / "0.2.0"


def make_original(folder: Path) -> Path:
    """Make a small run that starts from another one, its images, and a key."""
    write_discs(folder / "discs" / "train", 6)
    write_discs(folder / "discs" / "test", 3, seed=1)
    shutil.copytree(RELEASE / "run", folder / "base")
    changes = [
        f"data.root={folder / 'discs'}",
        "model.options={}",
        f"model.checkpoint={folder / 'base'}",
        "training.epochs=2",
    ]
    recipe = read_recipe(RELEASE / "discs.yaml", [*changes, "data.validation=0.3"])
    os.environ["GIT_DIR"] = (
        os.devnull
    )  # as an installed release, whose cards can be rendered again word by word
    finetune.run(recipe, out=folder / "run", console=Console(file=io.StringIO()))
    del os.environ["GIT_DIR"]
    write_key(folder / "author.pem")
    return folder


def copy_of(original: Path, folder: Path) -> Place:
    """A copy to change."""
    shutil.copytree(original, folder)
    return Place(folder / "run", folder / "discs", folder / "author.pem")


def audit(place: Place, *, recompute: bool) -> list[Claim]:
    """All claims, with the images and the public key of the author."""
    trust = TrustRoot(key=place.key.with_suffix(".pub"))
    return list(finetune.audit(place.run, data=place.data, recompute=recompute, trust=trust))


def broken(claims: list[Claim], family: str) -> str:
    """Evidence of the first broken claim of a family; empty if there is none."""
    return next(
        (claim.evidence for claim in claims if (claim.verdict, claim.family) == ("broken", family)), ""
    )


def main() -> int:
    """Run all kinds and print a line for each.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD")
    words = parser.parse_args().words
    kinds = [(name, *case, False) for name, case in QUICK.items()]
    kinds += [(name, *case, True) for name, case in RECOMPUTE.items()]
    kinds = [kind for kind in kinds if not words or any(word in kind[0] for word in words)]
    if not kinds:
        parser.error(f"no kind contains {' or '.join(words)}")
    with tempfile.TemporaryDirectory() as temporary:
        original = make_original(Path(temporary) / "original")
        clean = audit(copy_of(original, Path(temporary) / "clean"), recompute=True)
        false = [claim for claim in clean if claim.verdict == "broken"]
        for claim in false:
            print(f"untouched, but broken: {claim.family}: {claim.statement} {claim.evidence}")
        found, seconds = 0, 0.0
        for number, (name, family, change, recompute) in enumerate(kinds):
            place = copy_of(original, Path(temporary) / str(number))
            change(place)
            start = time.perf_counter()
            evidence = broken(claims := audit(place, recompute=recompute), family)
            seconds += time.perf_counter() - start
            found += bool(evidence)
            others = sorted({claim.family for claim in claims if claim.verdict == "broken"})
            print(f"{family:10} {name:46} {evidence or 'NOT FOUND; broken: ' + ', '.join(others)}")
            shutil.rmtree(place.run.parent)
    print(f"found {found} of {len(kinds)}; {len(false)} of {len(clean)} claims broken on the untouched run")
    print(f"{seconds / len(kinds):.2f} s for an audit")
    return 0 if found == len(kinds) and not false else 1


if __name__ == "__main__":
    sys.exit(main())
