import csv
import tracemalloc
from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.viewer import csv_pages, line_ends
from finetune.viewer.csv_pages import PAGE, open_csv


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def all_rows(path: Path) -> list[list[str]]:
    file = open_csv(path)
    return [row for number in range(file.pages) for row in file.page(number)]


def test_pages_hold_all_rows_once_and_in_order(tmp_path: Path):
    count = 2 * PAGE + 7
    path = write(tmp_path / "t.csv", "n,text\n" + "".join(f"{n},row {n}\n" for n in range(count)))
    file = open_csv(path)
    assert (file.rows, file.pages) == (count, 3)
    assert all_rows(path) == [[str(n), f"row {n}"] for n in range(count)]


@pytest.mark.parametrize("block", [1, 3, 64])
def test_rows_are_those_of_the_csv_module_whatever_is_quoted(tmp_path: Path, monkeypatch, block: int):
    monkeypatch.setattr(line_ends, "BLOCK", block)  # a row may lie across the border of two blocks
    rows = [["a,b", 'say "x"', "two\nlines"], ["", "", ""], ["1", '"', "\n\n"], ["é", "€", "end"]] * 5
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["x", "y", "z"], *rows])
    assert open_csv(path).rows == len(rows)
    assert [row[:2] for row in all_rows(path)] == [row[:2] for row in rows]


@pytest.mark.parametrize("block", [1, 3, 64])
@pytest.mark.parametrize(
    "content",
    [
        'a,b\n5" lens,1\n2,3\n',
        'a,b\n1,x""y"\n"two\nlines","say ""x"""\n2,3\n',
        '\ufeff"a",b\n"5"" lens",5"\n"""",""\n',
    ],
)
def test_a_quote_inside_an_unquoted_cell_joins_no_rows(tmp_path: Path, monkeypatch, content: str, block: int):
    monkeypatch.setattr(line_ends, "BLOCK", block)
    path = write(tmp_path / "t.csv", content)
    with path.open(encoding="utf-8-sig", newline="") as file:
        expected = list(csv.reader(file))[1:]
    assert open_csv(path).rows == len(expected) and not open_csv(path).unclosed
    assert all_rows(path) == expected


@pytest.mark.parametrize(
    "content, header, rows",
    [
        ("a,b\r\n1,2\r\n", ["a", "b"], [["1", "2"]]),
        ("a,b\n1,2", ["a", "b"], [["1", "2"]]),
        ("a;b\n1;2\n", ["a", "b"], [["1", "2"]]),
        ("\ufeffa,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        ("a,b\n1\n", ["a", "b"], [["1", ""]]),
        ("a,b\n1,2,3\n", ["a", "b"], [["1", "2,3"]]),
        ("a,a,\n1,2,3\n", ["a", "a (2)", "column 3"], [["1", "2", "3"]]),
        ("a,b\n", ["a", "b"], []),
        ("a,b", ["a", "b"], []),
        ("größe\n1\n".encode("latin-1"), ["größe"], [["1"]]),
    ],
)
def test_header_and_rows(tmp_path: Path, content: str | bytes, header: list[str], rows: list[list[str]]):
    path = write(tmp_path / "t.csv", content)
    assert open_csv(path).header == header
    assert all_rows(path) == rows


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"PK\0\0", "binary data"),
        (b" \n", "empty"),
        (b"a,b\r1,2\r", "old Macs"),
        (b"\na,b\n1,2\n", "the first line is empty"),
    ],
)
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes, reason: str):
    with pytest.raises(InputError, match=reason):
        open_csv(write(tmp_path / "t.csv", content))


def test_a_large_file_is_indexed_without_reading_it_into_memory(tmp_path: Path):
    row = b"image_0001,after,0.9345,0.8123,0.123456789\n"
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(b"image,stage,dice,pq,seconds\n")
        for _ in range(20):
            file.write(row * 25_000)
    tracemalloc.start()
    opened = open_csv(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.75 * path.stat().st_size  # it is read in blocks of 4 MiB
    assert opened.rows == 500_000
    assert opened.page(opened.pages - 1)[-1] == row.decode().strip().split(",")
    assert len(opened.page(3)) == csv_pages.PAGE
