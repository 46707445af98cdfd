"""Tables of results: from the records in benchmarks/records, tried.csv and test_evaluations.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
NOT_MEASURED = "not measured"
HASH = 12  # digits of a hash that are shown

Row = dict[str, str]


def results_tables() -> str:
    """Tabulate the runs whose figures are published, as `finetune card table` does.

    Returns:
        For each data set a heading, accuracy beside the figures of the NIST talk, and training details.
    """
    from cards.benchmark.grouping import distinct, group
    from cards.benchmark.run_table import Contents, report
    from finetune.benchmark.run_records import add_quoted, bootstrap, changes, find_records

    records, _ = find_records([str(BENCHMARKS / "records")])
    tables = add_quoted(group(distinct(records)[0]), ["nuclei", "cell_boundary"])
    return report(tables, Contents(bootstrap, changes=changes)).removeprefix("# Results\n\n")


def read_rows(name: str) -> list[Row]:
    """Read a CSV file of the folder benchmarks.

    Args:
        name: name of the file.

    Returns:
        Its rows.
    """
    with (BENCHMARKS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tried_rows(rows: list[Row]) -> Iterator[list[str]]:
    """Cells of the table of changes that were tried, those that were kept first.

    Args:
        rows: of tried.csv.

    Yields:
        Change, baseline, Dice, difference with its interval, images, whether it was kept, and a note.
    """
    for row in sorted(rows, key=lambda row: row["kept"] != "yes"):
        difference = signed(row["difference"]) if row["difference"] else NOT_MEASURED
        if row["low"] and row["high"]:
            difference += f" ({signed(row['low'])} to {signed(row['high'])})"
        recipe = f"`{row['baseline']}`"
        dice = row["dice"] or NOT_MEASURED
        yield [row["change"], recipe, dice, difference, row["measured_on"], row["kept"], row["note"]]


def evaluation_rows(rows: list[Row]) -> Iterator[list[str]]:
    """Cells of the table of evaluations on test images, the latest first.

    Args:
        rows: of test_evaluations.csv.

    Yields:
        Date, recipe, seed, data set, Dice on all and on unrelated images, hardware, purpose and evidence.
    """
    for row in reversed(rows):
        dice = [spread(row[name], row[f"{name}_std"]) for name in ("dice", "unrelated_dice")]
        unrelated = f"{dice[1]} ({row['unrelated_images']})" if row["unrelated_dice"] else NOT_MEASURED
        recipe = f"`{row['recipe']}`, {row['stage']}"
        data = f"{row['data']} ({row['images']})"
        purpose = "; ".join(text for text in (row["purpose"], row["note"]) if text)
        recorded = row["sha256"] != "not recorded"
        evidence = f"{row['commit']}, record {row['sha256'][:HASH]}" if recorded else "not recorded"
        yield [row["date"], recipe, row["seed"], data, dice[0], unrelated, row["hardware"], purpose, evidence]


def signed(value: str) -> str:
    """Format a difference with its sign and four decimals.

    Args:
        value: the difference.

    Returns:
        For example "+0.0012".
    """
    return f"{float(value):+.4f}".replace("-", "−")


def spread(mean: str, std: str) -> str:
    """Format a mean with its standard deviation, if that is known.

    Args:
        mean: the mean; empty if not measured.
        std: the standard deviation; empty if unknown.

    Returns:
        For example "0.9324 ± 0.0504".
    """
    return f"{mean} ± {std}" if std else mean or NOT_MEASURED
