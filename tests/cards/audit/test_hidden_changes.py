"""Changes whose hashes were corrected, or behind which something unreadable was put: all are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audited
import audited_package
import numpy as np
import pytest
from audited import PACKAGE, README, broken, claims_of
from safetensors.numpy import save_file

from cards.audit.claims import Subject, Tools
from cards.audit.data import check as check_data
from cards.audit.leakage import check as check_leakage
from cards.errors import DataError
from cards.evidence import Leakage, Registration, Selection
from cards.record import RunRecord
from cards.scores import Summary


def raise_dice(run: Path) -> None:
    text = (run / README).read_text(encoding="utf-8")
    (run / README).write_text(text.replace("0.9263", "0.9499"), encoding="utf-8")


def junk_package(run: Path) -> None:
    (run / "bioimageio" / "x.zip").write_bytes(b"garbage")


def cut_package(run: Path) -> None:
    (run / PACKAGE).write_bytes((run / PACKAGE).read_bytes()[:-1000])


def invalid_recipe(run: Path) -> None:
    (run / "recipe.yaml").write_text("a: [", encoding="utf-8")


def other_encoding(run: Path) -> None:
    (run / "report.html").write_bytes((run / "report.html").read_bytes() + b"\xff")


@pytest.mark.parametrize(
    ("damage", "evidence"),
    [
        (junk_package, "bioimageio/x.zip is a complete package."),
        (cut_package, f"{PACKAGE} is a complete package."),
        (invalid_recipe, "recipe.yaml:1: not valid YAML"),
        (other_encoding, "report.html: not UTF-8 text"),
    ],
    ids=["junk", "cut", "recipe", "encoding"],
)
def test_a_damaged_file_hides_no_other_claim(
    run: Path, damage: Callable[[Path], None], evidence: str
) -> None:
    raise_dice(run)
    damage(run)
    audited.write_record(run, RunRecord.read(run))
    found = broken(claims_of(run))
    assert any("0.9499 instead of 0.9263" in text for text in found)
    assert any(evidence in text for text in found)


def recorded(run: Path, change: Callable[[RunRecord], object]) -> list[str]:
    """Change the record, write all that follows from it, and list the broken claims."""
    record = RunRecord.read(run)
    change(record)
    audited.write_cards(run, record)
    return broken(claims_of(run))


def without_worst(record: RunRecord) -> None:
    assert record.accuracy is not None
    record.accuracy.after.worst.clear()


def without_lowest(record: RunRecord) -> None:
    """Leave the lowest PQ out, and compute the summary again."""
    assert record.accuracy is not None
    after = record.accuracy.after
    del min(after.scores, key=lambda score: score.metrics["pq"]).metrics["pq"]
    after.summary["pq"] = Summary.of([score.metrics["pq"] for score in after.scores if "pq" in score.metrics])


@pytest.mark.parametrize(
    ("change", "evidence"),
    [(without_worst, "not the images with the lowest Dice"), (without_lowest, "has no pq")],
    ids=["worst", "metric"],
)
def test_scores_that_were_left_out(run: Path, change: Callable[[RunRecord], None], evidence: str) -> None:
    assert any(evidence in text for text in recorded(run, change))


def test_a_score_that_only_the_table_states(run: Path) -> None:
    lines = (run / "scores.csv").read_text(encoding="utf-8").splitlines()
    text = "\n".join([f"{lines[0]},extra", *(f"{line},0.99" for line in lines[1:])])
    (run / "scores.csv").write_text(text, encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))
    assert any("line 2: extra '0.99', not recorded" in text for text in broken(claims_of(run, "card")))


def test_another_registration_than_the_one_in_the_record(run: Path) -> None:
    stated = {"metric": "dice", "value": 0.99, "test_images": "0" * 64, "recipe_sha256": "1" * 64}
    registration = Registration.model_validate(stated | {"registered": "2026-03-14T08:00:00+00:00"})
    (run / "registration.json").write_text(registration.model_dump_json(), encoding="utf-8")
    lower = registration.model_copy(update={"value": 0.9})
    statement = "registration.json is the registration in the record. value: 0.99, the record gives 0.9"
    assert any(
        statement in text for text in recorded(run, lambda record: setattr(record, "registration", lower))
    )
    assert any(
        "registration.json is" in text
        for text in recorded(run, lambda record: setattr(record, "registration", None))
    )
    (run / "registration.json").unlink()
    audited.write_record(run, RunRecord.read(run))
    assert not any("registration.json is" in text for text in broken(claims_of(run)))


@pytest.mark.parametrize(
    ("old", "new", "evidence"),
    [
        ("</head>", "<style>h2{display:none}</style></head>", "display:none"),
        ('href="https://', 'href="https://evil.example/', "evil.example"),
        ('src="data:image/png;base64,', 'src="data:image/png;base64,AAAA', "AAAA"),
    ],
    ids=["style", "link", "picture"],
)
def test_what_a_reader_of_the_report_sees_or_follows(run: Path, old: str, new: str, evidence: str) -> None:
    report = run / "report.html"
    text = report.read_text(encoding="utf-8")
    assert old in text
    report.write_text(text.replace(old, new, 1), encoding="utf-8")
    audited.write_record(run, RunRecord.read(run))
    assert any("styles, links and pictures" in text and evidence in text for text in broken(claims_of(run)))


@pytest.mark.parametrize(("halo", "wrong"), [(64, False), (0, True)])
def test_the_halo_of_the_tiles(run: Path, halo: int, wrong: bool) -> None:
    path = run / "huggingface" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"halo": halo}), encoding="utf-8")

    def measured(record: RunRecord) -> None:
        assert record.tiling is not None
        assert record.tiling.halo == 64
        record.tiling = record.tiling.model_copy(update={"image_statistics": True})

    found = recorded(run, measured)
    assert any("halo: 0, the record gives 64" in text for text in found) == wrong


@pytest.mark.parametrize("name", ["weights.pt", "test_weights.pt"])
def test_two_tensors_that_were_exchanged(run: Path, name: str) -> None:
    torch = pytest.importorskip("torch")
    tensors = {key: np.arange(6, dtype=np.float32) + shift for key, shift in (("one", 0), ("two", 9))}
    save_file(tensors, run / "huggingface" / "model.safetensors")
    state = {key: torch.from_numpy(value) for key, value in tensors.items()}
    for swapped in (False, True):
        if swapped:
            state = {"one": state["two"], "two": state["one"]}
        torch.save(state, run / "state.pt")
        content = audited_package.read_package(run / PACKAGE)
        content[name] = (run / "state.pt").read_bytes()
        audited_package.edit_description(
            content, lambda found: found["weights"]["torchscript"].update(source=name)
        )
        audited_package.write_package(run / PACKAGE, content)
        found = broken(claims_of(run, "weights"))
        assert any(f"{name} are" in text and "one differs; two differs" in text for text in found) == swapped


def test_a_selection_on_test_images_is_found_although_an_image_is_missing() -> None:
    record = audited.complete()
    tests = record.data.count("test")
    record.leakage = Leakage(method="", relations=[])
    record.training.selections = [
        Selection(what="epoch", value="32", metric="Dice", split="test", images=tests)
    ]

    def missing(*_: object) -> Leakage:
        raise DataError("nucleus_00.tif: not found in the folder of the images")

    subject = Subject("run", "hub", Path(), record, data=Path(), tools=Tools(relate=missing))
    claims = check_leakage(subject)
    assert any("selected by Dice on" in text for text in broken(claims))
    assert any("not found in the folder" in claim.evidence for claim in claims)


@pytest.mark.parametrize(
    ("change", "evidence"), [({"instances": 1}, "instances of"), ({"shape": [1, 9, 9]}, "shape of")]
)
def test_counts_and_sizes_of_the_images(change: dict[str, Any], evidence: str) -> None:
    record = audited.complete()
    found = audited.found_images(record)
    record.data.files[0] = record.data.files[0].model_copy(update=change)
    subject = Subject("run", "hub", Path(), record, data=Path(), tools=Tools(read_data=lambda *_: found))
    assert any(evidence in text for text in broken(list(check_data(subject))))
