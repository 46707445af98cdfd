"""`finetune card diff`."""

from __future__ import annotations

from finetune.cli.arguments import AsJson, RecordSource


def diff(first: RecordSource, second: RecordSource, as_json: AsJson = False) -> None:
    """Compare two runs: recipe, data, base model, training, accuracy and time.

    Accuracy is compared image by image, on the test images that both runs have in common.
    """
    import json
    from dataclasses import asdict

    from cards.comparison import compare
    from finetune.cli.console import print_line, print_table
    from finetune.downloads.records import fetch_record

    one, two = fetch_record(first), fetch_record(second)
    sections = compare(one, two)
    if as_json:
        content = {name: [asdict(row) for row in rows] for name, rows in sections.items()}
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for name, rows in sections.items():
        print_line(name, style="bold")
        print_table(("", one.name, two.name), ((row.item, row.first, row.second) for row in rows))
        print_line()
