import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from finished_run import write_run

from cards.errors import InputError
from finetune.viewer.library import Library
from finetune.viewer.run_table import NOT_AUDITED, audit_run, interval, read_rows


def library(*paths: Path) -> Library:
    shown = Library(paths)
    shown.scan()
    return shown


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all") / "runs"
    write_run(folder / "discs", package=False)
    (folder / "broken").mkdir()
    (folder / "broken" / "record.json").write_text('{"schema_version": 2')
    (folder / "started" / "checkpoints").mkdir(parents=True)
    (folder / "started" / "logs").mkdir()
    return folder


def test_a_folder_of_runs_gives_a_row_for_each(runs: Path):
    rows = {row["run"]: row for row in read_rows(library(runs))}
    assert list(rows) == ["runs/broken", "runs/discs", "runs/started"]
    discs = rows["runs/discs"]
    assert discs["state"] == "complete"
    assert discs["audit"] == NOT_AUDITED
    assert discs["data"] and discs["model"]
    assert 0 < (discs["after"] or 0) <= 1


def test_a_broken_record_and_a_run_in_progress_are_rows_that_say_why(runs: Path):
    rows = {row["run"]: row for row in read_rows(library(runs))}
    assert rows["runs/broken"]["state"].startswith("not a run record")
    assert rows["runs/started"]["state"] == (
        "no record yet: the run has just begun, or was stopped before its first epoch ended"
    )
    assert rows["runs/broken"]["after"] is None


def test_a_run_that_was_deleted_while_shown_is_reported(tmp_path: Path):
    write_run(tmp_path / "discs", package=False)
    shown = library(tmp_path)
    (key,) = shown.items
    (tmp_path / "discs").rename(tmp_path.parent / f"{tmp_path.name}-gone")
    assert "no longer there" in read_rows(shown)[0]["state"]
    with pytest.raises(InputError, match="deleted or renamed"):
        shown.get(key, "run")


def test_a_record_is_read_again_after_it_changed(tmp_path: Path):
    write_run(tmp_path / "discs", package=False)
    shown = library(tmp_path)
    assert read_rows(shown)[0]["state"] == "complete"
    (tmp_path / "discs" / "record.json").write_text("{}")
    assert read_rows(shown)[0]["state"].startswith("not a run record")


def test_an_audit_counts_the_claims(runs: Path):
    assert "cannot be decided" in audit_run(library(runs), "runs/discs")


def test_links_out_of_the_folders_given_are_not_shown(tmp_path: Path):
    shown, secret = tmp_path / "shown", tmp_path / "secret"
    shown.mkdir(), secret.mkdir()
    (secret / "private.csv").write_text("a\n1\n")
    tifffile.imwrite(secret / "private.tif", np.zeros((4, 4), np.uint8))
    (shown / "own.csv").write_text("a\n1\n")
    (shown / "link.csv").symlink_to(secret / "private.csv")
    (shown / "link.tif").symlink_to(secret / "private.tif")
    (shown / "folder").symlink_to(secret)
    assert list(library(shown).items) == ["shown/own.csv"]


def test_a_link_made_after_the_search_is_refused(tmp_path: Path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "shown").mkdir()
    table = tmp_path / "shown" / "table.csv"
    table.write_text("a\n1\n")
    shown = library(tmp_path / "shown")
    table.unlink()
    table.symlink_to(tmp_path / "secret.csv")
    with pytest.raises(InputError, match="link out of the folders"):
        shown.get("shown/table.csv", "table")


def test_a_record_that_links_to_another_folder_is_refused(tmp_path: Path):
    write_run(tmp_path / "other", package=False)
    (tmp_path / "shown" / "run").mkdir(parents=True)
    (tmp_path / "shown" / "run" / "record.json").symlink_to(tmp_path / "other" / "record.json")
    (row,) = read_rows(library(tmp_path / "shown"))
    assert "link out of the folders" in row["state"]


def test_two_folders_of_the_same_name_are_both_shown(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name / "runs").mkdir(parents=True)
        (tmp_path / name / "runs" / "table.csv").write_text("a\n1\n")
    items = library(tmp_path / "a" / "runs", tmp_path / "b" / "runs").items
    assert len({item.path for item in items.values()}) == 2


@pytest.mark.parametrize("name, content", [("missing.csv", None), ("notes.txt", "hello")])
def test_a_path_that_cannot_be_shown_is_named(tmp_path: Path, name: str, content: str | None):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=name):
        library(tmp_path / name)


def test_a_path_that_disappears_while_a_page_is_open_is_noted(tmp_path: Path):
    for name in ("kept.csv", "gone.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    shown = library(tmp_path / "gone.csv", tmp_path / "kept.csv")
    (tmp_path / "gone.csv").unlink()
    shown.scan()
    assert list(shown.items) == ["kept.csv"]
    assert shown.notes == [f"{tmp_path / 'gone.csv'}: no such file or folder, or a link that leads nowhere"]


def test_a_link_to_itself_is_named(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="loop: no such file or folder"):
        library(tmp_path / "loop")


def test_one_image_has_no_interval(runs: Path):
    from cards.scores import ImageScore, Stage

    def stage(*values: float) -> Stage:
        scores = [ImageScore(image=str(value), metrics={"dice": value}, seconds=0.1) for value in values]
        return Stage(scores=scores, summary={}, worst=[])

    assert interval(None) is None
    assert interval(stage(0.9)) is None
    # t(0.975, 2) = 4.3027; s = 0.1; n = 3: 0.8 ± 4.3027 · 0.1 / √3
    assert interval(stage(0.7, 0.8, 0.9)) == "0.5516 to 1.0000"


def test_a_file_whose_name_is_not_utf8_is_left_out_with_a_note(tmp_path: Path):
    (tmp_path / "ok.csv").write_text("a\n1\n")
    (tmp_path / os.fsdecode(b"b\xe4r.csv")).write_text("a\n1\n")
    library = Library([tmp_path])
    library.scan()
    assert [item.path.name for item in library.items.values()] == ["ok.csv"]
    assert any("not valid UTF-8: b\\udce4r.csv" in note for note in library.notes)
