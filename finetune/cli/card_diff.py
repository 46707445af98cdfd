"""`finetune card diff`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from finetune.cli.arguments import AsJson, RecordSource
from finetune.cli.console import print_line, print_table

if TYPE_CHECKING:
    from cards.comparison import Difference
    from cards.paired_scores import ImagePair, PairedMetric
    from cards.record import RunRecord

Names = tuple[str, str]

LARGEST = 5
"""Images with the largest changes that are listed."""


def diff(first: RecordSource, second: RecordSource, as_json: AsJson = False) -> None:
    """Compare two runs and their accuracy.

    Compares recipe, data, base model, training, accuracy and time. Accuracy is compared image by image, on
    the test images that both runs have in common.
    """
    from cards.comparison import compare
    from cards.paired_scores import pair_images, paired_metrics
    from finetune.downloads.records import fetch_record
    from finetune.metrics.summary import paired_change

    one, two = fetch_record(first), fetch_record(second)
    names = (one.name, two.name) if one.name != two.name else (f"{one.name} (1)", f"{two.name} (2)")
    sections, pairs = compare(one, two), pair_images(one, two)
    metrics = paired_metrics(pairs, one.metrics, paired_change)
    if as_json:
        print(json.dumps(_content(one, two, sections, pairs, metrics), indent=2, ensure_ascii=False))
    else:
        _print_differences(names, sections)
        if metrics:
            _print_paired(names, pairs, metrics)
        else:
            _print_unpaired({names[0]: one, names[1]: two})


def _content(
    one: RunRecord,
    two: RunRecord,
    sections: dict[str, list[Difference]],
    pairs: Sequence[ImagePair],
    metrics: Sequence[PairedMetric],
) -> dict[str, Any]:
    return {
        "first": {"name": one.name, "record_sha256": one.digest()},
        "second": {"name": two.name, "record_sha256": two.digest()},
        "differences": {name: [asdict(row) for row in rows] for name, rows in sections.items()},
        "test_images_in_common": len(pairs),
        "accuracy": [
            {
                **asdict(metric),
                "first": metric.first.model_dump(),
                "second": metric.second.model_dump(),
                "interval": metric.interval.model_dump() if metric.interval else None,
            }
            for metric in metrics
        ],
        "images": [
            {"image": pair.image, "first": pair.first.metrics, "second": pair.second.metrics}
            for pair in pairs
        ],
    }


def _print_differences(names: Names, sections: dict[str, list[Difference]]) -> None:
    for name, rows in sections.items():
        print_table((name, *names), ((row.item, row.first, row.second) for row in rows))
        print_line()
    if not sections:
        print_line("The records do not differ in recipe, model, data, training, time and software.")


def _print_unpaired(runs: dict[str, RunRecord]) -> None:
    from cards.result_tables import headline

    for name, run in runs.items():
        header, *rows = headline(run)
        print_table((name, *header[1:]), rows)
        print_line()
    print_line("The runs have no scored test image in common: their accuracy cannot be compared.")


def _print_paired(names: Names, pairs: Sequence[ImagePair], metrics: Sequence[PairedMetric]) -> None:
    from cards.formatting import counted, score, signed
    from cards.metrics import PRIMARY
    from cards.result_tables import spread

    print_table(
        (f"{counted(len(pairs), 'test image')} in common", *names, "change", "higher/lower"),
        (
            (
                metric.label,
                spread(metric.first),
                spread(metric.second),
                _change(metric),
                f"{metric.higher}/{metric.lower}",
            )
            for metric in metrics
        ),
    )
    largest = sorted(pairs, key=lambda pair: (-abs(pair.difference(PRIMARY)), pair.image))[:LARGEST]
    if any(pair.difference(PRIMARY) for pair in largest):
        print_line()
        print_table(
            ("Largest changes in Dice", *names, "change"),
            (
                (
                    pair.image,
                    score(pair.first.metrics[PRIMARY]),
                    score(pair.second.metrics[PRIMARY]),
                    signed(pair.difference(PRIMARY)),
                )
                for pair in largest
            ),
        )


def _change(metric: PairedMetric) -> str:
    from cards.formatting import signed

    text = signed(metric.difference)
    if metric.interval is None:
        return text
    low, high = signed(metric.interval.low), signed(metric.interval.high)
    return f"{text} ({100 * metric.interval.confidence:g}% CI {low} to {high})"
