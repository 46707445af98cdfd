"""The recipe: what to train, on what, how, and what to say of it. One class a section.

A recipe is YAML. Whatever is wrong in one is reported with file, line and key, and with the nearest
name that would have been right.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from cards.base import LabelKind, Url
from cards.errors import RecipeError
from cards.record import Card
from finetune.recipe.validation import problems

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A section of a recipe. A key it does not know is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ModelSection(Section):
    """Which network, which target, and which weights to start from."""

    repository: str = Field(description="where the network comes from: wipp")
    name: str = Field(description="its name there")
    options: dict[str, Any] = Field({}, description="the network's own options")
    target: str = Field(description="what it learns: foreground, flows, …; or prompts")
    target_options: dict[str, Any] = {}
    adapt: str = Field("full", description="what is trained: full, head, lora")
    adapt_options: dict[str, Any] = {}
    pretrained: bool = Field(True, description="start from the repository's weights, where it has any")
    checkpoint: Path | None = Field(None, description="start from these weights instead: a run, or a file")
    revision: str | None = Field(None, description="of the repository's weights; the newest if unset")
    trust: bool = Field(False, description="allow code that comes with the model to run")


class DataSection(Section):
    """Which images, how to read them, and how to split them."""

    name: str | None = Field(None, description="a named data set; brings license, citation and source")
    root: Path | None = Field(None, description="the folder that holds the images")
    csv: Path | None = Field(None, description="a table of pairs, columns image,label[,split]")
    layout: Literal["auto", "folders", "suffix", "csv"] = "auto"
    labels: LabelKind | None = Field(None, description="what the masks hold; instances if unset")
    channels: Literal["auto", "gray"] | list[Annotated[int, Field(ge=0)]] = "auto"
    normalize: dict[str, Any] | None = Field(None, description="the model's own, or percentile, if unset")
    validation: Fraction = Field(0.1, description="fraction of train, where no folder gives it")
    test: Fraction = Field(0.1, description="fraction of train, where no folder gives it")
    split_seed: int = 0
    license: str | None = Field(None, description="SPDX id, for images of your own")
    citation: list[str] = []
    source: Url | None = Field(None, description="where others find the images")

    @model_validator(mode="after")
    def _is_somewhere(self) -> DataSection:
        if self.name is None and self.root is None and self.csv is None:
            raise ValueError("say where the images are: name, root or csv")
        if self.csv is not None and self.root is not None:
            raise ValueError("give root or csv, not both")
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together leave nothing to train on")
        return self


class AugmentationSection(Section):
    """Random changes to a training patch, so that fewer annotated images go further."""

    symmetries: bool = Field(True, description="the 8 rotations and mirrorings of the square")
    intensity: float = Field(0.2, ge=0, le=1, description="largest relative change of gain and gamma")
    noise: float = Field(
        0.05, ge=0, le=1, description="largest Gaussian noise, in standard deviations of the patch"
    )
    scale: tuple[float, float] = Field((0.75, 1.33), description="smallest and largest zoom")

    @field_validator("scale")
    @classmethod
    def _ordered(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0.1 <= scale[0] <= scale[1] <= 10:
            raise ValueError("must be two factors from 0.1 to 10, the smaller first")
        return scale


class TrainingSection(Section):
    """How long and how to train."""

    epochs: int = Field(50, ge=1)
    images_per_epoch: int | None = Field(None, ge=1, description="patches an epoch; each image once if unset")
    batch_size: int = Field(8, ge=1, description="over all processes")
    patch: int = Field(256, ge=32, description="side of a training patch, in pixels")
    views: int | None = Field(
        None, ge=1, description="patches of an image, each drawn once; always new if unset"
    )
    cache: bool = Field(True, description="with views: run a frozen encoder once on each, not in every epoch")
    learning_rate: float | None = Field(None, gt=0, description="the model's own default if unset")
    weight_decay: float = Field(0.01, ge=0)
    warmup: Fraction = Field(0.05, description="fraction of all steps with a rising learning rate")
    gradient_clip: float | None = Field(1.0, gt=0, description="largest norm of the gradient")
    average: float | None = Field(None, gt=0, lt=1, description="decay of the moving average of the weights")
    validate_every: int = Field(1, ge=1, description="epochs between two validations")
    patience: int | None = Field(None, ge=1, description="validations without a better Dice before it stops")
    augmentation: AugmentationSection = AugmentationSection()
    workers: int = Field(1, ge=0, description="processes that read and augment images")
    seed: int = Field(0, ge=0)


class EvaluationSection(Section):
    """How to measure."""

    bootstrap: int = Field(9999, ge=100, description="resamples for the interval of the change")
    check_images: int = Field(5, ge=1, description="test images on which each export is scored again")
    automatic_images: int = Field(
        2, ge=0, description="with prompts: test images labeled without any, too; seconds to minutes each"
    )


class ComputeSection(Section):
    """Handed to Lightning's Trainer as it is, but for a precision that is left open."""

    accelerator: str = "auto"
    devices: int | str | list[int] = 1
    nodes: int = Field(1, ge=1)
    strategy: str = "auto"
    precision: str = Field(
        "auto", description="as Lightning calls it; auto: bf16-mixed where that is fast, else 32-true"
    )


class Recipe(Section):
    """A whole recipe."""

    takes: str = Field("not measured", description="how long it took, on what")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    model: ModelSection
    data: DataSection
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    compute: ComputeSection = ComputeSection()
    card: Card


def read_recipe(path: Path | str, overrides: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Read a recipe file and apply `KEY=VALUE` overrides, such as `data.root=images`.

    Relative paths in the file are relative to the working folder, as on a command line.

    Raises:
        RecipeError: one line for each thing that is wrong, with file, line and key.
    """
    path = Path(path)
    content = _read_yaml(path)
    content.setdefault("name", path.stem)
    overridden = [_override(content, override) for override in overrides]
    found: dict[str, str] = {}  # one line a key: a union complains once for each of its types
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        for problem in error.errors():
            keys = _keys(problem["loc"], content, missing=problem["type"] == "missing")
            where = _where(keys, path, content, overridden)
            found.setdefault(where, f"{where}: {_in_words(problem, keys)}")
        raise RecipeError("\n".join(found.values())) from error
    for key, what in problems(recipe):
        where = _where(key.split("."), path, content, overridden)
        found.setdefault(where, f"{where}: {what}")
    if found:
        raise RecipeError("\n".join(found.values()))
    return recipe


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a resolved recipe, so that it reads back as the same recipe."""
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(recipe.model_dump(mode="json"), stream)


def _read_yaml(path: Path) -> CommentedMap:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecipeError(
            f"{path}: no such recipe; `finetune ls` lists those that come with finetune"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot read the recipe: {error}") from error
    try:
        content = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise RecipeError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    if not isinstance(content, CommentedMap):
        raise RecipeError(
            f"{path}: a recipe has the sections {', '.join(Recipe.model_fields)}; this has none"
        )
    return content


def _override(content: CommentedMap, override: str) -> str:
    """Set one KEY=VALUE in the content; returns the key."""
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"'{override}': an override is KEY=VALUE, such as training.epochs=10")
    *parents, last = key.strip().split(".")
    section: Any = content
    for parent in parents:
        if not isinstance(section.get(parent), dict):
            section[parent] = CommentedMap()
        section = section[parent]
    try:
        section[last] = YAML(typ="safe", pure=True).load(value)
    except MarkedYAMLError as error:
        raise RecipeError(f"'{override}': the value is not valid YAML: {error.problem}") from error
    return key.strip()


def _where(keys: list[str], path: Path, content: CommentedMap, overridden: list[str]) -> str:
    dotted = ".".join(keys)
    given = any(dotted == key or dotted.startswith(key + ".") for key in overridden)
    return f"override {dotted}" if given else f"{path}:{_line(content, keys)}: {dotted or 'recipe'}"


def _in_words(problem: Any, keys: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key{_nearest(keys)}"
    if problem["type"] == "missing":
        return "missing; it is needed"
    message = problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    shown = "" if isinstance(given, dict) else f" (it is {given!r})"
    return f"{message[0].lower()}{message[1:]}{shown}"


def _keys(loc: tuple[Any, ...], content: Any, missing: bool) -> list[str]:
    # A list or union adds indices and type names behind the key; the key itself ends before them.
    keys: list[str] = []
    for part in loc:
        if isinstance(content, dict) and part in content:
            keys.append(str(part))
            content = content[part]
        elif missing and part == loc[-1]:
            keys.append(str(part))
        else:
            break
    return keys


def _line(content: Any, keys: list[str]) -> int:
    line = 1
    for key in keys:
        if not isinstance(content, CommentedMap) or key not in content:
            break
        if content.lc.data and key in content.lc.data:
            line = content.lc.key(key)[0] + 1
        content = content[key]
    return line


def _nearest(keys: list[str]) -> str:
    section: type[BaseModel] = Recipe
    for key in keys[:-1]:
        annotation = section.model_fields[key].annotation
        candidates = [annotation, *get_args(annotation)]
        section = next(kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel))
    near = difflib.get_close_matches(keys[-1], section.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(section.model_fields)}"
