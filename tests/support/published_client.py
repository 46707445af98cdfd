"""A program that loads a repository on the Hub as finetune and bioimageio do, and prints what it finds."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Print architecture, name of the package and digest of the record as JSON."""
    from bioimageio.spec import load_description

    import finetune
    from cards.record import RunRecord
    from finetune.downloads.hub import fetch_all

    repo = sys.argv[1]
    model = finetune.load(f"{repo}@1.0.0")
    package = load_description(f"huggingface/{repo}/1.0.0")
    record = RunRecord.read(fetch_all(repo, revision="1.0.0").folder)
    print(json.dumps([model.architecture.name, package.name, record.digest()]))
