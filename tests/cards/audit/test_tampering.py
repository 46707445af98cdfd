"""One thing at a time is changed in a run folder: the claim that states it is broken, and says where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audited
import audited_package
import pytest
from audited import PACKAGE, README, broken, claims_of

from cards.audit.run import exit_code
from cards.record import RunRecord


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace text in a file."""

    def change(run: Path) -> None:
        text = (run / name).read_text(encoding="utf-8")
        assert old in text, f"{old} is not in {name}"
        (run / name).write_text(text.replace(old, new), encoding="utf-8")

    return change


def described(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Change the description of the package."""

    def apply(run: Path) -> None:
        content = audited_package.read_package(run / PACKAGE)
        audited_package.edit_description(content, change)
        audited_package.write_package(run / PACKAGE, content)

    return apply


def inside(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace text in a file of the package, and correct the hashes in its description."""

    def apply(run: Path) -> None:
        content = audited_package.read_package(run / PACKAGE)
        assert old.encode() in content[name], f"{old} is not in {name}"
        content[name] = content[name].replace(old.encode(), new.encode())
        audited_package.edit_description(content, lambda _: None)
        audited_package.write_package(run / PACKAGE, content)

    return apply


def recorded(change: Callable[[RunRecord], object]) -> Callable[[Path], None]:
    """Change the record, in both copies."""

    def apply(run: Path) -> None:
        record = RunRecord.read(run)
        change(record)
        audited.write_record(run, record)

    return apply


def own(key: str, value: object) -> Callable[[Path], None]:
    return described(lambda found: found["config"]["finetune"].update({key: value}))


def zoo(key: str, value: object) -> Callable[[Path], None]:
    return described(lambda found: found["config"]["bioimageio"].update({key: value}))


def without_split(record: RunRecord) -> None:
    record.data.files[-1].split = "train"


def rounded_mean(record: RunRecord) -> None:
    assert record.accuracy is not None
    record.accuracy.after.summary["dice"].mean += 0.01


def other_score(record: RunRecord) -> None:
    assert record.accuracy is not None
    record.accuracy.after.scores[3].metrics["pq"] = 0.9


# What is changed, how, and a part of the evidence of a broken claim.
CARD = {
    "a figure in the table of results": (edit(README, "| PQ | 0.7", "| PQ | 0.8"), "instead of 0.7"),
    "a figure rounded up": (edit(README, "0.9263", "0.9499"), "0.9499 instead of 0.9263"),
    "a figure in the model-index": (edit(README, "value: 0.9263", "value: 0.9806"), "0.9806"),
    "a date": (edit(README, "2026-03-14", "2026-03-01"), "2026-03-01"),
    "the license": (edit(README, "license: mit", "license: apache-2.0"), "license: apache-2.0"),
    "the license in the text": (edit(README, "| This model | MIT |", "| This model | CC0-1.0 |"), "cc0-1.0"),
    "an author": (edit(README, "Ada Example", "Eve Example"), "Eve Example"),
    "the base model": (edit(README, "example/unet2d-nuclei-broad", "example/better"), "example/better"),
    "the time per image": (edit(README, "43.2 ms", "3.2 ms"), "3.2 instead of 43.2"),
    "a limitation, deleted": (
        edit(README, "- Tissue sections were not in the data.\n", ""),
        "missing: - Tissue",
    ),
    "a sentence, added": (edit(README, "## Results", "Approved for clinical use.\n\n## Results"), "clinical"),
    "the metadata, deleted": (edit(README, "model-index:", "other:"), "model-index is missing"),
    "a figure in the report": (edit("report.html", "0.9263", "0.9999"), "0.9999 instead of 0.9263"),
    "a mean in the drawing for a paper": (edit("figure.svg", ">0.9", ">0.8"), "is missing"),
    "a text in the drawing for a paper": (edit("figure.svg", "Dice</text>", "Accuracy</text>"), "was added"),
    "a number in the figure for a paper": (edit("figure.csv", ",0.9", ",0.99"), "expected nucleus_"),
    "a script in the report": (edit("report.html", "</body>", "<script>1</script></body>"), "They differ"),
    "the policy of the report": (edit("report.html", "default-src 'none'", "default-src *"), "They differ"),
    "a score": (edit("scores.csv", "nucleus_03,after,0.", "nucleus_03,after,1."), "scores.csv"),
    "a score, deleted": (edit("scores.csv", "nucleus_00,before", "nucleus_00,earlier"), "earlier"),
    "the target": (edit("huggingface/config.json", '"threshold": 0.5', '"threshold": 0.4'), "threshold: 0.4"),
    "the normalization": (edit("huggingface/config.json", "99.8", "95.0"), "normalize.high: 95.0"),
    "the precision": (
        edit("huggingface/config.json", '"inference_precision": "bf16"', '"inference_precision": "float32"'),
        "inference_precision: float32",
    ),
    "the recipe": (edit("recipe.yaml", "epochs: 60", "epochs: 90"), "training.epochs: 90"),
    "one copy of the record": (edit("record.json", '"seed": 0', '"seed": 7'), "training.seed: 0"),
}
RECORD = {
    "a mean": (recorded(rounded_mean), "accuracy.after.dice.mean"),
    "the score of one image": (recorded(other_score), "accuracy.after.pq"),
    "the split of one image": (recorded(without_split), "is not a test image"),
    "the date": (recorded(lambda record: setattr(record, "created", "2026-01-01T00:00:00+00:00")), "2026-"),
    "the license": (recorded(lambda record: setattr(record.card, "license", "Apache-2.0")), "apache-2.0"),
    "the base revision": (recorded(lambda record: setattr(record.model.base, "revision", "9.9")), "9.9"),
    "the number of epochs": (recorded(lambda record: setattr(record.training, "epochs", 50)), "epochs: 50"),
    "the trained parameters": (recorded(lambda record: setattr(record.model, "trainable", 10)), "trainable"),
}
PACKAGES = {
    "a figure in its card": (inside("README.md", "0.9263", "0.9499"), "0.9499"),
    "a figure in its record": (inside("record.json", '"seed": 0', '"seed": 1'), "training.seed: 1"),
    "the name": (described(lambda found: found.update(name="A better model")), "name: A better model"),
    "an author": (described(lambda found: found["authors"].pop()), "authors"),
    "the license": (described(lambda found: found.update(license="CC0-1.0")), "license: CC0-1.0"),
    "the date": (described(lambda found: found.update(timestamp="2025-01-01T00:00:00+00:00")), "timestamp"),
    "a citation": (described(lambda found: found["cite"][0].update(doi="10.1000/1")), "10.1000/1"),
    "the target": (own("prediction", {"target": {"name": "boundary"}}), "prediction.target.name: boundary"),
    "the hash of the data": (own("data_sha256", "0" * 64), "config.finetune.data_sha256"),
    "the evaluation": (
        described(lambda found: found["config"]["bioimageio"]["evaluations"][0].update(sample_count=200)),
        "sample_count: 200",
    ),
    "the memory": (zoo("memory_requirements_inference", "1 MiB"), "memory_requirements_inference"),
    "the number of parameters": (zoo("model_parameter_count", 5), "model_parameter_count: 5"),
}
FILES = {
    "the weights": (
        edit("huggingface/model.safetensors", "the", "new"),
        "huggingface/model.safetensors: SHA-256",
    ),
    "weights, removed": (lambda run: (run / "huggingface/model.safetensors").unlink(), "is missing"),
    "a script, added": (
        lambda run: (run / "install.py").write_text("pass"),
        "install.py is not in the record",
    ),
    "a picture": (edit("huggingface/pictures/histogram.png", "a", "b"), "histogram.png: SHA-256"),
    "a link": (lambda run: (run / "huggingface/data").symlink_to("/etc"), "huggingface/data leads out"),
}
FAMILIES = {"card": {**CARD, **{f"record: {name}": case for name, case in RECORD.items()}}, "files": FILES}
FAMILIES["card"] |= {f"package: {name}": case for name, case in PACKAGES.items()}
# Edited cards and packages are audited below: with a new hash in the record, and without the run.
BELOW = {*CARD, *(f"package: {name}" for name in PACKAGES)} - {
    "one copy of the record",
    "package: a figure in its card",
    "package: a figure in its record",
}
CASES = [(family, name) for family, cases in FAMILIES.items() for name in cases if name not in BELOW]


@pytest.mark.parametrize(("family", "name"), CASES, ids=[f"{family}: {name}" for family, name in CASES])
def test_the_right_claim_is_broken(run: Path, family: str, name: str) -> None:
    change, evidence = FAMILIES[family][name]
    change(run)
    found = broken(claims_of(run, family))
    assert any(evidence in text for text in found), found


INFERENCE = {
    "a gain that is none": ({"gain": 1.0}, "only 1.00 times as fast"),
    "labels that change": ({"agreement": 0.9}, "only 90.00% of the pixels keep their label"),
    "a Dice that changes": ({"dice_change": -0.01}, "mean Dice changes by −0.0100"),
    "fewer images": ({"images": 2}, "2 images compared, there are 5 validation images"),
    "a recipe that does not say so": ({"reason": "set by the recipe"}, "states compute.inference=None"),
}


@pytest.mark.parametrize("name", INFERENCE)
def test_bf16_that_its_measurements_do_not_support_is_broken(run: Path, name: str) -> None:
    change, evidence = INFERENCE[name]

    def apply(record: RunRecord) -> None:
        assert record.inference is not None
        record.inference = record.inference.model_copy(update=change)

    recorded(apply)(run)
    assert any(evidence in text for text in broken(claims_of(run, "accuracy")))


def hash_again(run: Path) -> None:
    """Bring the hashes in the record up to date, as someone would who hides a change."""
    audited.write_record(run, RunRecord.read(run))


@pytest.mark.parametrize("name", [name for name in CARD if name != "one copy of the record"])
def test_an_edited_card_is_found_although_the_record_has_its_new_hash(run: Path, name: str) -> None:
    change, evidence = CARD[name]
    change(run)
    hash_again(run)
    assert not broken(claims_of(run, "files"))
    assert any(evidence in text for text in broken(claims_of(run, "card")))


# A changed record is consistent with itself: only the run around the package shows the change.
@pytest.mark.parametrize("name", [name for name in PACKAGES if "record" not in name])
def test_a_package_alone_is_audited_as_well(run: Path, name: str) -> None:
    change, evidence = PACKAGES[name]
    change(run)
    assert any(evidence in text for text in broken(claims_of(run / PACKAGE, "card")))


@pytest.mark.parametrize("place", ["", "huggingface", PACKAGE])
def test_every_claim_of_an_untouched_model_holds(run: Path, place: str) -> None:
    claims = [claim for claim in claims_of(run / place) if claim.family in ("files", "card", "formats")]
    assert {claim.verdict for claim in claims} == {"holds"}
    assert exit_code(claims) == 0


def test_a_copy_of_the_published_folder_is_audited_like_the_run(run: Path, tmp_path: Path) -> None:
    copy = (run / "huggingface").rename(tmp_path / "my-model")
    assert not broken(claims_of(copy))
    edit("README.md", "0.9263", "0.9499")(copy)
    assert len(broken(claims_of(copy), "files")) == 1
    assert broken(claims_of(copy), "card")


def test_a_published_repository_holds_the_native_files_of_the_run_as_well(run: Path, tmp_path: Path) -> None:
    (run / "native").mkdir()
    (run / "native" / "model").write_bytes(b"native weights")
    audited.write_record(run, RunRecord.read(run))
    repository = Path(shutil.copytree(run / "huggingface", tmp_path / "repository"))
    assert not broken(claims_of(repository, "files"))
    shutil.copytree(run / "native", repository / "native")
    assert not broken(claims_of(repository, "files"))
    (repository / "native" / "model").write_bytes(b"other weights")
    assert "native/model: SHA-256" in "".join(broken(claims_of(repository, "files")))


def test_a_repeated_key_is_found_in_the_record(run: Path) -> None:
    text = (run / "record.json").read_text(encoding="utf-8")
    first, rest = text.split("\n", 1)
    (run / "record.json").write_text(f'{first}\n  "name": "another",\n{rest}', encoding="utf-8")
    assert any("name: more than once" in text for text in broken(claims_of(run), "card"))


def test_a_deleted_checkpoint_is_not_held_against_the_card(run: Path) -> None:
    (run / "checkpoints" / "last.ckpt").unlink()
    claims = claims_of(run)
    assert not broken(claims)
    assert any("last.ckpt is missing" in claim.evidence for claim in claims if claim.verdict == "cannot tell")


def test_nothing_is_written_by_an_audit(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    claims_of(run)
    claims_of(run / PACKAGE)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
