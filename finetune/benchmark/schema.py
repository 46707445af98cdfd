"""Benchmark files: models, images and quoted figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cards.benchmark.results import QuotedResult
from finetune.recipe.reader import read_settings
from finetune.recipe.schema import DataSection, Section


class ModelEntry(Section):
    """One model of a benchmark."""

    model: str = Field(
        description="a run folder, a package, an id on the Hugging Face Hub, or repository:name"
    )
    ensemble: list[str] = Field(
        [], description="further models of the same target, whose maps are averaged with those of the model"
    )
    title: str | None = Field(None, description="name in the table; that of the model if unset")
    checkpoint: Path | None = Field(
        None, description="weights of repository:name in a local file, instead of a download"
    )
    target: str | None = Field(None, description="target that decodes the maps of a BioImage.IO package")
    trust: bool = Field(False, description="allow TorchScript that could read or write files")


class TunedEntry(Section):
    """A recipe that is run on the training images; its model is measured before and after."""

    recipe: str = Field(description="a recipe file, or the name of an included recipe")
    overrides: list[str] = Field([], description="KEY=VALUE, as on the command line")
    title: str | None = Field(None, description="name in the table; the title of the card if unset")


def _from_text(key: str) -> Any:
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class BenchmarkFile(Section):
    """A benchmark: which models are measured on which images."""

    name: str = Field(description="the file's name if unset")
    title: str = Field(description="title of the table")
    data: DataSection
    images: Literal["test", "validation", "train", "all"] = Field(
        "test", description="split on which the models are measured; all images if the data have no splits"
    )
    models: list[Annotated[ModelEntry, _from_text("model")]] = []
    tune: list[Annotated[TunedEntry, _from_text("recipe")]] = Field(
        [], description="recipes that are run on the same data"
    )
    fractions: list[Annotated[float, Field(gt=0, le=100)]] = Field(
        [], description="percent of the training images; each recipe under tune is also run with these"
    )
    quoted: list[QuotedResult] = Field([], description="published figures, shown next to the measurements")
    quoted_from: str | None = Field(None, description="source of the quoted figures")
    within: list[Annotated[float, Field(gt=0)]] = Field(
        [0.1, 1.0], description="seconds per image for which the best model is recommended"
    )


def read_benchmark(path: Path, overrides: list[str]) -> BenchmarkFile:
    """Read a benchmark file.

    Args:
        path: the file.
        overrides: `KEY=VALUE`, such as `data.root=images`.

    Returns:
        The validated content.

    Raises:
        RecipeError: if the file cannot be read or is invalid; one line per problem, with file, line and key.
    """
    return read_settings(path, BenchmarkFile, overrides)
