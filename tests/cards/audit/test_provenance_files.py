"""An ML-BOM or a Croissant description in the folder of a model states what its record states."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audited import claims_of, write_record

from cards.audit.claims import Claim
from cards.evidence import RuntimeCheck
from cards.provenance.croissant import croissant
from cards.provenance.mlbom import ml_bom
from cards.record import RunRecord

WRITERS: dict[str, Callable[[RunRecord], str]] = {"model.cdx.json": ml_bom, "croissant.json": croissant}


def claim(run: Path, name: str) -> Claim:
    (found,) = (claim for claim in claims_of(run, "card") if claim.statement.startswith(name))
    return found


@pytest.mark.parametrize("place", ["", "huggingface/"])
@pytest.mark.parametrize("name", WRITERS)
def test_what_was_written_from_the_record_holds(run: Path, place: str, name: str) -> None:
    (run / place / name).write_text(WRITERS[name](RunRecord.read(run)), encoding="utf-8")
    assert claim(run, place + name).verdict == "holds"


def license_of_model(content: Any) -> None:
    content["metadata"]["component"]["licenses"] = [{"license": {"id": "CC0-1.0"}}]


def accuracy(content: Any) -> None:
    metrics = content["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    metrics[0]["value"] = "0.9999"


def hash_of_image(content: Any) -> None:
    content["distribution"][0]["sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("name", "change", "evidence"),
    [
        ("model.cdx.json", license_of_model, "licenses"),
        ("model.cdx.json", accuracy, "performanceMetrics[0].value: 0.9999"),
        ("croissant.json", hash_of_image, "distribution[0].sha256"),
    ],
)
def test_a_change_is_broken_and_named(
    run: Path, name: str, change: Callable[[Any], None], evidence: str
) -> None:
    content = json.loads(WRITERS[name](RunRecord.read(run)))
    change(content)
    (run / name).write_text(json.dumps(content), encoding="utf-8")
    found = claim(run, name)
    assert found.verdict == "broken" and evidence in found.evidence and "finetune card" in found.remedy


@pytest.mark.parametrize("content", ["", "[1]", "[" * 100_000])
def test_what_is_no_description_is_broken(run: Path, content: str) -> None:
    (run / "model.cdx.json").write_text(content, encoding="utf-8")
    assert claim(run, "model.cdx.json").verdict == "broken"


@pytest.mark.parametrize("name", WRITERS)
def test_a_package_test_after_the_description_was_written_breaks_nothing(run: Path, name: str) -> None:
    record = RunRecord.read(run)
    (run / name).write_text(WRITERS[name](record), encoding="utf-8")
    check = RuntimeCheck(package="bioimageio/discs.zip", environment="current", packages={}, passed=True)
    write_record(run, record.model_copy(update={"runtimes": [*record.runtimes, check]}))
    assert claim(run, name).verdict == "holds"


def test_another_version_may_word_a_description_differently(run: Path) -> None:
    record = RunRecord.read(run)
    content = ml_bom(record).replace("trained parameters", "trainable parameters")
    environment = record.environment.model_copy(update={"renderer_sha256": "0" * 64})
    write_record(run, record.model_copy(update={"environment": environment}))
    (run / "model.cdx.json").write_text(content, encoding="utf-8")
    found = claim(run, "model.cdx.json")
    assert found.verdict == "cannot tell" and "Another version of finetune" in found.evidence
