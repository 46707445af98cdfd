"""Damaged, hand-edited and hostile models: a claim or one line, never a crash, and nothing is executed."""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from pathlib import Path

import audited_package
import pytest
from audited import PACKAGE, README, broken, claims_of

from cards.audit.claims import Claim
from cards.errors import ModelError
from cards.record import SCHEMA_VERSION


def first(claims: list[Claim]) -> Claim:
    """The claim on the record itself."""
    return next(claim for claim in claims if "valid run record" in claim.statement)


def rewrite(run: Path, content: bytes) -> list[Claim]:
    (run / "record.json").write_bytes(content)
    claims = claims_of(run)
    assert not any("defect of finetune" in claim.remedy for claim in claims)
    return claims


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        claims_of(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_record_of_a_newer_schema_is_not_called_broken(run: Path) -> None:
    text = (run / "record.json").read_text(encoding="utf-8")
    newer = re.sub(r'"schema_version": \d+', f'"schema_version": {SCHEMA_VERSION + 1}', text)
    claims = rewrite(run, newer.encode())
    assert first(claims).verdict == "cannot tell"
    assert f"schema_version is {SCHEMA_VERSION + 1}" in first(claims).evidence
    assert "Audit with the version of finetune" in first(claims).remedy
    assert not broken(claims)


@pytest.mark.parametrize(
    ("content", "evidence"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", "not a run record"),
        (b"null", "not a run record"),
        (b"\x00" * 100, "not a run record"),
        (b"[" * 100_000, "not a run record"),
        ('{"name": "ü"}'.encode("utf-16"), "byte order mark"),
        ('{"name": "ü"}'.encode("latin-1"), "not a run record"),
    ],
    ids=["empty", "truncated", "list", "null", "zeros", "deep", "UTF-16", "Latin-1"],
)
def test_a_record_that_is_none_is_a_broken_claim(run: Path, content: bytes, evidence: str) -> None:
    claims = rewrite(run, content)
    assert first(claims).verdict == "broken"
    assert evidence in first(claims).evidence
    assert len(first(claims).evidence.splitlines()) == 1


def test_a_byte_order_mark_is_named(run: Path) -> None:
    claims = rewrite(run, b"\xef\xbb\xbf" + (run / "record.json").read_bytes())
    assert first(claims).verdict == "broken"
    assert "byte order mark" in first(claims).evidence


def test_unknown_keys_and_infinite_numbers_are_not_a_record(run: Path) -> None:
    content = json.loads((run / "record.json").read_bytes())
    assert first(rewrite(run, json.dumps(content | {"better": 1}).encode())).verdict == "broken"
    content["training"]["seconds"] = float("inf")
    assert first(rewrite(run, json.dumps(content).encode())).verdict == "broken"


def test_without_a_record_nothing_is_broken_and_the_remedy_is_stated(run: Path) -> None:
    for place in (run, run / "huggingface"):
        (place / "record.json").unlink()
    claims = claims_of(run)
    assert not broken(claims)
    assert {claim.family for claim in claims if claim.verdict == "cannot tell"} >= {"files", "card"}
    assert all(claim.remedy for claim in claims if claim.verdict == "cannot tell")


def test_a_missing_card_is_a_broken_claim(run: Path) -> None:
    (run / README).unlink()
    found = broken(claims_of(run))
    assert any("There is a model card" in text and "is missing" in text for text in found)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"---\n[", b"---\na: &a [*a]\n---\n", b"---\n? \n---\n"]
)
def test_a_card_that_is_no_card_is_a_broken_claim(run: Path, content: bytes) -> None:
    (run / README).write_bytes(content)
    claims = claims_of(run)
    assert broken(claims, "card")
    assert broken(claims, "formats")


def test_text_of_a_model_cannot_act_in_the_report(run: Path) -> None:
    from cards.audit.page import render_page
    from cards.audit.report import render_lines

    text = (run / README).read_text(encoding="utf-8")
    (run / README).write_text(
        text.replace("## Data", "<script>\x1b[31m</script>\n\n## Data", 1), encoding="utf-8"
    )
    claims = claims_of(run)
    assert any("<script>" in evidence for evidence in broken(claims))
    assert "<script>" not in render_page("x", claims)
    assert not any("\x1b" in line for line, _ in render_lines("x", claims, None))


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/tmp/outside.txt", "C:/outside.txt", "a\\..\\..\\outside.txt"]
)
def test_a_package_that_would_write_outside_is_refused(
    run: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))  # where a package is unpacked
    content = audited_package.read_package(run / PACKAGE)
    audited_package.write_package(run / PACKAGE, {**content, name: b"outside"})
    assert "would write outside its folder" in refused(run / PACKAGE)
    assert not list(tmp_path.rglob("outside.txt"))
    # Inside a run it is a claim, and the other families are checked all the same.
    claims = claims_of(run)
    assert any("would write outside" in claim.evidence for claim in claims)
    assert any(claim.family == "formats" for claim in claims)


def test_a_package_with_a_link_is_refused(run: Path) -> None:
    content = audited_package.read_package(run / PACKAGE)
    with zipfile.ZipFile(run / PACKAGE, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("secret")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "contains a symbolic link (secret)" in refused(run / PACKAGE)


def test_a_package_that_expands_to_gigabytes_is_refused_before_it_is_unpacked(run: Path) -> None:
    zeros = bytes(2**20)
    with zipfile.ZipFile(run / PACKAGE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("rdf.yaml", "a: 1")
        for number in range(320):
            archive.writestr(f"{number}.bin", zeros)
    assert "far more than a model of" in refused(run / PACKAGE)


def test_a_package_with_two_files_of_one_name_is_refused(run: Path) -> None:
    with zipfile.ZipFile(run / PACKAGE, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("rdf.yaml", "name: another")
    assert "contains rdf.yaml more than once" in refused(run / PACKAGE)


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_a_file_that_is_no_package_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.zip").write_bytes(content)
    assert "not a complete zip archive" in refused(tmp_path / "model.zip")


def test_a_package_with_damaged_content_is_refused(run: Path) -> None:
    content = audited_package.read_package(run / PACKAGE)
    with zipfile.ZipFile(run / PACKAGE, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    stored = bytearray((run / PACKAGE).read_bytes())
    stored[stored.index(b"TorchScript")] ^= 1
    (run / PACKAGE).write_bytes(stored)
    assert "Bad CRC-32" in refused(run / PACKAGE)


@pytest.mark.parametrize(
    "rdf",
    [b"", b"- a", b"a: [", b"\xff", b"a: 1\na: 2", b"x: &a [1]\ny: [*a, *b]", b"weights: 3\ninputs: {}"],
)
def test_a_description_that_is_none_is_a_broken_claim(run: Path, rdf: bytes) -> None:
    content = audited_package.read_package(run / PACKAGE)
    audited_package.write_package(run / PACKAGE, {**content, "rdf.yaml": rdf})
    claims = claims_of(run / PACKAGE)
    assert broken(claims, "formats")
    assert not any("defect of finetune" in claim.remedy for claim in claims)


@pytest.mark.parametrize(
    "key", ["license", "authors", "cite", "config", "weights", "inputs", "documentation", "tags"]
)
@pytest.mark.parametrize("value", [7, [[]], {"a": {"b": []}}])
def test_a_description_of_any_shape_is_audited(run: Path, key: str, value: object) -> None:
    content = audited_package.read_package(run / PACKAGE)
    audited_package.edit_description(content, lambda found: found.update({key: value}))
    audited_package.write_package(run / PACKAGE, content)
    claims = claims_of(run / PACKAGE)
    assert not any("defect of finetune" in claim.remedy for claim in claims), claims


@pytest.mark.parametrize(
    "section",
    [7, [[]], {"train_fraction": "a half", "csv": 7, "license": []}, {"channels": {"a": []}, "name": [7]}],
)
def test_a_recipe_of_any_shape_is_audited(run: Path, section: object) -> None:
    record = json.loads((run / "record.json").read_text())
    for name in ("data", "model", "compute", "training"):
        record["recipe"][name] = section
    for folder in (run, run / "huggingface"):
        (folder / "record.json").write_text(json.dumps(record))
    claims = claims_of(run)
    assert broken(claims)
    assert not any("defect of finetune" in claim.remedy for claim in claims), claims


def test_a_record_behind_a_link_is_not_read(run: Path, tmp_path: Path) -> None:
    (run / "record.json").rename(tmp_path / "elsewhere.json")
    (run / "record.json").symlink_to(tmp_path / "elsewhere.json")
    claims = claims_of(run)
    assert "link to a file outside the folder" in first(claims).evidence
    assert any("record.json leads out" in text for text in broken(claims, "files"))


def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    assert "no model in this folder" in refused(tmp_path)
    assert "no such folder or file" in refused(tmp_path / "absent")
    (tmp_path / "image.tif").write_bytes(b"II")
    assert "is a file; give a run folder" in refused(tmp_path / "image.tif")


@pytest.mark.parametrize("name", ["README.md", "config.json"])
def test_a_pipe_in_place_of_a_file_does_not_block_the_audit(run: Path, name: str) -> None:
    (run / "huggingface" / name).unlink()
    os.mkfifo(run / "huggingface" / name)
    assert "is not a regular file" in "".join(broken(claims_of(run, "card")))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_package_with_a_damaged_compressed_file_is_refused(
    run: Path, tmp_path: Path, compression: int
) -> None:
    package = tmp_path / "damaged.zip"
    with zipfile.ZipFile(run / PACKAGE) as good, zipfile.ZipFile(package, "w", compression) as copy:
        for name in good.namelist():
            copy.writestr(name, good.read(name))
    with zipfile.ZipFile(package) as archive:
        start = archive.getinfo("record.json").header_offset + 30 + len("record.json")
    content = bytearray(package.read_bytes())
    content[start + 9 : start + 49] = b"\xff" * 40  # behind the header of LZMA
    package.write_bytes(bytes(content))
    assert "damaged.zip" in refused(package)


def test_an_invalid_copy_of_the_record_is_broken(run: Path) -> None:
    (run / "huggingface" / "record.json").write_text("{}", encoding="utf-8")
    found = [one for one in claims_of(run) if "huggingface/record.json" in f"{one.statement} {one.evidence}"]
    assert any(one.verdict == "broken" for one in found)
    assert not any("defect of finetune" in one.remedy for one in found)
