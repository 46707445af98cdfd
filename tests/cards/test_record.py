from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from example_parts import data_file
from pydantic import ValidationError

import cards
from cards.errors import InputError
from cards.record import Data, DataFile, File, RunRecord, json_schema
from cards.training import Epoch

SCHEMA = Path(cards.__file__).parent / "schema" / "run-record-2.json"


def test_golden_record(either, golden):
    golden(f"{either.name}/record.json", either.dumps())


def test_canonical_json_is_stable(either, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(either.dumps(), encoding="utf-8")
    again = RunRecord.read(path)
    assert again == either
    assert again.dumps() == either.dumps()
    assert RunRecord.read(tmp_path) == either
    content = json.loads(either.dumps())
    assert list(content) == sorted(content)
    assert either.dumps().endswith("}\n")


def test_the_shipped_schema_is_that_of_the_model():
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA.write_text(text, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == text


def test_a_missing_record_is_said_with_its_path(tmp_path):
    with pytest.raises(InputError, match=r"record\.json: cannot read the record: No such file"):
        RunRecord.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.update(dice=1.0), "dice: Extra inputs are not permitted"),
        (
            lambda content: content["training"].update(seed="often"),
            "training.seed: Input should be a valid integer",
        ),
        (
            lambda content: content.update(schema_version=3),
            "schema_version is 3, this finetune reads up to 2",
        ),
        (lambda content: content["data"].pop("id"), "data.id: Field required"),
        (lambda content: content["data"].update(source="/home/me/images"), "must be a URL"),
    ],
)
def test_what_is_wrong_with_a_record_is_one_line(full, tmp_path, change, words):
    content = json.loads(full.dumps())
    change(content)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        RunRecord.read(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_a_file_that_is_no_record(tmp_path, content):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a run record"):
        RunRecord.read(path)


@pytest.mark.parametrize(
    "path", ["/home/me/a.tif", "C:\\data\\a.tif", "C:/data/a.tif", "..\\a.tif", "../a.tif"]
)
def test_no_record_holds_a_path_that_leaves_its_folder(path):
    with pytest.raises(ValidationError, match="relative path"):
        File(path=path, sha256="0", bytes=1)
    fields = data_file("a", "train").model_dump()
    with pytest.raises(ValidationError, match="relative path"):
        DataFile(**(fields | {"image": path}))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_none_is_refused(value):
    with pytest.raises(ValidationError, match="finite"):
        Epoch(epoch=1, loss=value)


def test_the_fingerprint_of_the_data_is_that_of_its_pixels(full):
    data = full.data
    renamed = [
        file.model_copy(update={"name": "x", "image": "y.png", "split": "train"}) for file in data.files
    ]
    same = Data(**(data.model_dump() | {"files": [file.model_dump() for file in reversed(renamed)]}))
    assert same.digest() == data.digest()
    other = data.model_copy(deep=True)
    other.files[0].label_pixels = other.files[1].label_pixels
    assert other.digest() != data.digest()
    assert data.model_copy(update={"files": data.files[1:]}).digest() != data.digest()
    assert data.count("train") == 40
