"""A card has to equal the one rendered from its record, if the code that rendered it is installed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import audited
import audited_package
import pytest
from audited import PACKAGE, README, broken, claims_of
from report_pages import previews
from ruamel.yaml import YAML

from cards.fingerprint import renderer_digest
from cards.previews import FILE
from cards.record import RunRecord

OTHER = hashlib.sha256(b"other code").hexdigest()


@pytest.fixture
def checkout(tmp_path: Path):
    """Write a run of a git checkout whose cards were rendered by the code with this hash."""

    def write(renderer: str | None) -> Path:
        record = audited.complete()
        record.environment.git_commit, record.environment.git_dirty = "0" * 40, True
        record.environment.renderer_sha256 = renderer
        audited.write_run(tmp_path / "run", record)
        return tmp_path / "run"

    return write


def edit(run: Path, old: str = "## How to use", new: str = "## The best model of its kind") -> None:
    """Change the card and correct its hash in the record."""
    text = (run / README).read_text(encoding="utf-8")
    assert old in text
    (run / README).write_text(text.replace(old, new), encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))


@pytest.mark.parametrize("renderer", [renderer_digest(), OTHER, None])
def test_an_untouched_run_of_a_checkout_holds(checkout, renderer: str | None) -> None:
    run = checkout(renderer)
    for place in (run, run / PACKAGE):
        claims = [claim for claim in claims_of(place) if claim.family in ("files", "card")]
        assert {claim.verdict for claim in claims} == {"holds"}


def test_labels_and_distances_in_the_report_are_those_of_the_run(checkout) -> None:
    run = checkout(renderer_digest())
    (run / FILE).write_text(previews("nucleus_00").dumps(), encoding="utf-8")
    audited.write_cards(run, RunRecord.read(run))
    assert not broken(claims_of(run, "card"))
    report = run / "report.html"
    text = report.read_text(encoding="utf-8")
    assert '"distances":[1,2,3]' in text
    report.write_text(text.replace('"distances":[1,2,3]', '"distances":[9,2,3]'), encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))
    assert [claim for claim in broken(claims_of(run, "card")) if "report.html" in claim]


def test_other_words_are_found_although_the_record_has_their_hash(checkout) -> None:
    run = checkout(renderer_digest())
    edit(run)
    assert not broken(claims_of(run, "files"))
    assert any("The best model of its kind" in text for text in broken(claims_of(run, "card")))


@pytest.mark.parametrize("renderer", [OTHER, None])
def test_whether_words_of_other_code_were_edited_cannot_be_told(checkout, renderer: str | None) -> None:
    run = checkout(renderer)
    edit(run)
    claims = claims_of(run, "card")
    assert not broken(claims)
    (open_claim,) = (claim for claim in claims if claim.verdict == "cannot tell")
    assert "The best model of its kind" in open_claim.evidence
    assert "commit 000000000000" in (open_claim.remedy or "")


def test_figures_of_other_code_count_all_the_same(checkout) -> None:
    run = checkout(OTHER)
    edit(run, "0.9263", "0.9363")
    assert any("0.9363" in text for text in broken(claims_of(run, "card")))


@pytest.mark.parametrize("hidden", ["swapped", "swapped, hash removed", "hash of another file"])
def test_a_swapped_cover_is_found_in_a_package_alone(checkout, hidden: str) -> None:
    run = checkout(renderer_digest())
    files = audited_package.read_package(run / PACKAGE)
    description = YAML(typ="safe").load(files["rdf.yaml"])
    if hidden != "hash of another file":
        files["cover.png"] = b"another cover"
    if hidden == "swapped, hash removed":
        del description["config"]["finetune"]["covers_sha256"]
    if hidden == "hash of another file":
        description["config"]["finetune"]["covers_sha256"]["other.png"] = OTHER
    audited_package.write_package(run / PACKAGE, files | {"rdf.yaml": audited_package.to_yaml(description)})
    assert any("covers_sha256" in text for text in broken(claims_of(run / PACKAGE, "card")))
