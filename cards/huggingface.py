"""The Hugging Face card of a run: README.md, its metadata in YAML and its body in Markdown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id, yaml_dump

from cards import about_tables, axes, leakage, markdown, result_tables, risks, tables
from cards import missing as gaps
from cards import statements as facts
from cards.citations import citations
from cards.limitations import limitations
from cards.markdown import plain
from cards.methods import methods
from cards.precision import precision_sentences
from cards.record import RunRecord
from cards.references import hub_license
from cards.registration import outcome
from cards.scores import Summary
from cards.selection import selected_on_test, selection_sentences
from cards.tiling import tiling_sentences

PICTURES = ("histogram.png", "training.png", "example_best.png", "example_median.png", "example_worst.png")

SUBSET = "unrelated-to-training"
"""Name of the subset of the test images that a model-index shows as a second data set."""


def render(record: RunRecord, pictures: Collection[str] = ()) -> str:
    """Render README.md of the folder that is published on Hugging Face.

    Args:
        record: the run.
        pictures: names from `PICTURES` that exist in the folder `pictures/` next to the card.

    Returns:
        YAML metadata and Markdown.
    """
    return with_metadata(record, render_body(record, pictures))


def with_metadata(record: RunRecord, body: str) -> str:
    """Put the metadata above a card.

    Args:
        record: the run.
        body: its card, from `render_body`.

    Returns:
        YAML metadata and Markdown.
    """
    return f"---\n{metadata(record).to_yaml()}\n---\n\n{body}"


def render_body(record: RunRecord, pictures: Collection[str] = ()) -> str:
    """Render the card without metadata, which is also the body of the report.

    Args:
        record: the run.
        pictures: names from `PICTURES` that exist in the folder `pictures/` next to the card.

    Returns:
        Markdown.
    """
    return markdown.render("card.md.j2", **context(record, pictures))


def context(record: RunRecord, pictures: Collection[str] = ()) -> dict[str, object]:
    """Collect the variables of all templates.

    Args:
        record: the run.
        pictures: names from `PICTURES` to show.

    Returns:
        Variables by name.

    Raises:
        ValueError: for a name that is not in `PICTURES`.
    """
    if unknown := set(pictures) - set(PICTURES):
        raise ValueError(f"no card shows {', '.join(sorted(unknown))}: use {', '.join(PICTURES)}")
    packages = [file.path for file in record.files if file.path.endswith(".zip")]
    return {
        "record": record,
        "facts": facts,
        "axes": axes,
        "tables": tables,
        "results": result_tables,
        "about": about_tables,
        "leakage": leakage,
        "precision_sentences": precision_sentences,
        "tiling_sentences": tiling_sentences,
        "selection_sentences": selection_sentences,
        "selected_on_test": selected_on_test,
        "outcome": outcome(record),
        "limitations": limitations,
        "risks": risks,
        "missing": gaps.missing,
        "missing_table": gaps.table,
        "methods": methods,
        "citations": citations,
        "pictures": frozenset(pictures),
        "documentation": False,
        "package": packages[0].rsplit("/", 1)[-1] if packages else None,
        "recipe": yaml_dump(record.recipe),
    }


def metadata(record: RunRecord) -> ModelCardData:
    """Build the metadata of the card in the vocabulary of Hugging Face.

    Base model and data set are named only by their Hugging Face ids, so that no local path leaks.

    Args:
        record: the run.

    Returns:
        The metadata; unknown fields are absent.
    """
    base = record.model.base
    results = evaluation(record)
    license, license_name = _license(record.card.license)
    base_id = _valid_id(base.hub_id) if base.weights == "pretrained" else None
    return ModelCardData(
        library_name="finetune",
        pipeline_tag="image-segmentation",
        tags=[plain(tag) for tag in facts.tags(record)],
        base_model=base_id,
        base_model_relation="finetune" if base_id else None,
        datasets=[data_id] if (data_id := _valid_id(record.data.hub_id)) else None,
        metrics=[metric for metric, _, _ in _headline(record)] or None,
        model_name=plain(record.card.title) if results else None,
        eval_results=results or None,
        license=license,
        license_name=license_name,
        **_emissions(record),
    )


def _valid_id(hub_id: str | None) -> str | None:
    """The id of a repository, unless the Hub would refuse it and the card with it."""
    try:
        validate_repo_id(hub_id or "")
    except HFValidationError:
        return None
    return hub_id


def _emissions(record: RunRecord) -> dict[str, Any]:
    """Emissions of the training in the vocabulary of the Hub, in g of CO2 equivalent; empty if unknown."""
    if (energy := record.training.energy) is None:
        return {}
    emissions = {
        "emissions": float(f"{1000 * energy.co2_kilograms:.3g}"),
        "source": energy.source,
        "training_type": "pre-training" if record.model.base.weights == "random" else "fine-tuning",
        **({"geographical_location": energy.region} if energy.region else {}),
        "hardware_used": facts.trained_on(record),
    }
    return {"co2_eq_emissions": emissions}


def _license(license: str | None) -> tuple[str | None, str | None]:
    """Identifier and name of the license: `other` with a name if Hugging Face does not list it."""
    if not license or not license.strip():
        return None, None
    known = hub_license(license)
    return (known, None) if known else ("other", plain(license))


def evaluation(record: RunRecord) -> list[EvalResult]:
    """List mean and standard deviation of each headline metric after training, as two entries.

    Where some test images are related to training images, the metrics on the others follow, as another
    subset (`config`) of the same data set.

    Args:
        record: the run.

    Returns:
        Entries of a model-index, with four decimals as in the body of the card.
    """
    results = _results(record, _headline(record))
    unrelated = leakage.unrelated_images(record)
    if unrelated is None or not leakage.is_divided(record):
        return results
    summary = leakage.accuracy_on(record, unrelated)
    part = [(metric, label, summary[key]) for key, metric, label in _headline_names(record) if key in summary]
    return results + _results(record, part, f"{len(unrelated)} test images unrelated to training images")


def _results(
    record: RunRecord, metrics: Sequence[tuple[str, str, Summary]], subset: str | None = None
) -> list[EvalResult]:
    name = plain(record.data.id)
    return [
        EvalResult(
            task_type="image-segmentation",
            dataset_type=plain(record.data.hub_id or record.data.id),
            dataset_name=f"{name}, {subset}" if subset else name,
            dataset_config=SUBSET if subset else None,
            dataset_split=record.accuracy.split if record.accuracy else "test",
            metric_type=metric if value == "mean" else f"{metric}_{value}",
            metric_name=f"{label}, {meaning} over images",
            metric_value=round(number, 4),
            verified=False,
        )
        for metric, label, summary in metrics
        for value, meaning, number in summary.mean_and_std()
    ]


def _headline(record: RunRecord) -> list[tuple[str, str, Summary]]:
    """Headline metrics; for an interactive model, IoU for each kind of prompt."""
    found = record.accuracy.after.summary if record.accuracy else {}
    if record.prompts:
        found = {score.kind: score.after for score in record.prompts}
    return [(metric, label, found[key]) for key, metric, label in _headline_names(record) if key in found]


def _headline_names(record: RunRecord) -> list[tuple[str, str, str]]:
    """Key in a summary, type in a model-index, and label of each headline metric."""
    if record.prompts:
        kinds = [score.kind for score in record.prompts]
        return [(kind, f"iou_{kind.replace(' + ', '_').replace(' ', '_')}", f"IoU, {kind}") for kind in kinds]
    return [(metric.name, metric.name, metric.label) for metric in record.metrics if metric.headline]
