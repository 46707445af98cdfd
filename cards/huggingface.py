"""The Hugging Face card of a run: README.md, its metadata in YAML and its body in Markdown."""

from __future__ import annotations

from collections.abc import Collection

from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.utils import yaml_dump

from cards import markdown, tables
from cards import statements as facts
from cards.markdown import plain
from cards.record import RunRecord
from cards.references import hub_license
from cards.scores import Summary

PICTURES = ("histogram.png", "training.png", "example_best.png", "example_median.png", "example_worst.png")


def render(record: RunRecord, pictures: Collection[str] = ()) -> str:
    """README.md of the folder that is published on the Hub.

    Args:
        record: the run.
        pictures: which of `PICTURES` lie in the folder `pictures/` beside the card; only these are shown.
    """
    return f"---\n{metadata(record).to_yaml()}\n---\n\n{render_body(record, pictures)}"


def render_body(record: RunRecord, pictures: Collection[str] = ()) -> str:
    """The card without metadata, in Markdown: what the report shows too."""
    return markdown.render("card.md.j2", **context(record, pictures))


def context(record: RunRecord, pictures: Collection[str] = ()) -> dict[str, object]:
    """What every template of a card is filled from.

    Raises:
        ValueError: for a picture that no card shows.
    """
    if unknown := set(pictures) - set(PICTURES):
        raise ValueError(f"no card shows {', '.join(sorted(unknown))}: use {', '.join(PICTURES)}")
    packages = [file.path for file in record.files if file.path.endswith(".zip")]
    return {
        "record": record,
        "facts": facts,
        "tables": tables,
        "pictures": frozenset(pictures),
        "package": packages[0].rsplit("/", 1)[-1] if packages else None,
        "recipe": yaml_dump(record.recipe),
    }


def metadata(record: RunRecord) -> ModelCardData:
    """The metadata in the Hub's own words. What the Hub has no field for stays in the body.

    The base model and the data are named only by their ids on the Hub, so that no local path leaks.
    """
    base = record.model.base
    results = evaluation(record)
    license, license_name = _license(record.card.license)
    derived = base.weights == "pretrained" and base.hub_id
    return ModelCardData(
        library_name="finetune",
        pipeline_tag="image-segmentation",
        tags=[plain(tag) for tag in facts.tags(record)],
        base_model=base.hub_id if derived else None,
        base_model_relation="finetune" if derived else None,
        datasets=[record.data.hub_id] if record.data.hub_id else None,
        metrics=[metric for metric, _, _ in _headline(record)] or None,
        model_name=plain(record.card.title) if results else None,
        eval_results=results or None,
        license=license,
        license_name=license_name,
    )


def _license(license: str | None) -> tuple[str | None, str | None]:
    """The license by the Hub's identifier, or as `other` with its name; nothing where none is stated."""
    if not license or not license.strip():
        return None, None
    known = hub_license(license)
    return (known, None) if known else ("other", plain(license))


def evaluation(record: RunRecord) -> list[EvalResult]:
    """Mean and standard deviation of each headline figure after the run, each a number of its own.

    Four decimals, as in the body: a reader finds the same figure in both.
    """
    return [
        EvalResult(
            task_type="image-segmentation",
            dataset_type=plain(record.data.hub_id or record.data.id),
            dataset_name=plain(record.data.id),
            dataset_split=record.accuracy.split if record.accuracy else "test",
            metric_type=metric if value == "mean" else f"{metric}_{value}",
            metric_name=f"{name}, {meaning} over images",
            metric_value=round(getattr(summary, value), 4),
            verified=False,
        )
        for metric, name, summary in _headline(record)
        for value, meaning in (("mean", "mean"), ("std", "standard deviation"))
    ]


def _headline(record: RunRecord) -> list[tuple[str, str, Summary]]:
    """Dice, AP50 and PQ; of a model that answers prompts, IoU for each kind of prompt."""
    if record.prompts:
        return [
            (f"iou_{score.kind.replace(' + ', '_').replace(' ', '_')}", f"IoU, {score.kind}", score.after)
            for score in record.prompts
        ]
    found = record.accuracy.after.summary if record.accuracy else {}
    return [
        (metric.name, metric.label, found[metric.name])
        for metric in record.metrics
        if metric.headline and metric.name in found
    ]
