"""Lines that commands print."""

from __future__ import annotations

import pytest

from finetune.cli.console import print_line, print_note


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    name = "/data/[bold]plate:dog:7[/bold].tif"
    print_line(name)
    print_note(name, "warning")
    out, err = capsys.readouterr()
    assert (out, err) == (f"{name}\n", f"warning: {name}\n")


def test_a_name_cannot_add_lines_or_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_note("a\nfinetune: b\x1b[31m.tif: not an image", "finetune")
    assert capsys.readouterr().err == "finetune: a\\nfinetune: b\\x1b[31m.tif: not an image\n"


def test_long_lines_are_not_wrapped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_line("word " * 40)
    print_note("word " * 40)
    out, err = capsys.readouterr()
    assert out.count("\n") == err.count("\n") == 1
