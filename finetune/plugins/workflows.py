"""Workflows of several plugins, each as one CWL file that holds its tools.

Two steps: segment images, and compare the result with a reference. Three steps: fine-tune a model before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.plugins import cwl, dice, fine_tune, segmentation
from finetune.plugins.definition import Input, Plugin
from finetune.plugins.metadata import About, container
from finetune.plugins.yaml_text import dump

TRAINED = "inference-stardist-unet"  # reads any model that finetune trained
REFERENCE = "referenceDir"
PREDICTIONS = "predictionDir"
SEGMENT, SCORE, TRAIN = "segment", "score", "train"


def names(plugins: Mapping[str, Plugin]) -> dict[str, list[str]]:
    """Names of the workflows.

    Args:
        plugins: by name.

    Returns:
        Plugins of the steps, by name: one workflow per inference plugin, and the one with fine-tuning.
    """
    found = {f"{name}-dice": [name, dice.NAME] for name in plugins if name.startswith("inference-")}
    return found | {f"{fine_tune.NAME}-inference-dice": [fine_tune.NAME, TRAINED, dice.NAME]}


def render(name: str, plugins: Mapping[str, Plugin], of: About) -> str:
    """Write a workflow.

    Args:
        name: one of `names`.
        plugins: by name.
        of: version and author.

    Returns:
        YAML with a `$graph`: the tools, and the workflow `main`.
    """
    first = name.removesuffix("-dice")
    if first in plugins:
        steps = _two(plugins[first], plugins[dice.NAME], of)
    else:
        steps = _three(plugins[fine_tune.NAME], plugins[TRAINED], plugins[dice.NAME], of)
    return dump({"cwlVersion": cwl.VERSION, "$graph": steps})


def _two(segment: Plugin, score: Plugin, of: About) -> list[dict[str, Any]]:
    reference = next(one for one in score.inputs if one.name == REFERENCE)
    rest = [one for one in score.inputs if one.name not in (REFERENCE, PREDICTIONS, "filePattern")]
    inputs = {one.name: _input(one) for one in (*segment.inputs, reference, *rest)}
    steps = {
        SEGMENT: _step(segment, {one.name: one.name for one in segment.inputs}),
        SCORE: _step(
            score,
            {one.name: one.name for one in (reference, *rest)}
            | {PREDICTIONS: f"{SEGMENT}/{segmentation.OUTPUT}"},
        ),
    }
    outputs = {
        segmentation.OUTPUT: _output(f"{SEGMENT}/{segmentation.OUTPUT}"),
        dice.OUTPUT: _output(f"{SCORE}/{dice.OUTPUT}"),
    }
    tools = [_tool(segment, SEGMENT, of), _tool(score, SCORE, of)]
    return [*tools, _workflow(inputs, steps, outputs)]


def _three(train: Plugin, segment: Plugin, score: Plugin, of: About) -> list[dict[str, Any]]:
    tested = ("testImageDir", "testMaskDir")
    inputs = {one.name: _input(one) for one in train.inputs}
    for name in tested:
        inputs[name]["type"] = "Directory"  # the second and third step need them
    steps = {
        TRAIN: _step(train, {one.name: one.name for one in train.inputs}),
        SEGMENT: _step(segment, {"imageDir": tested[0], "modelDir": f"{TRAIN}/{fine_tune.MODEL_OUTPUT}"}),
        SCORE: _step(
            score, {REFERENCE: tested[1], PREDICTIONS: f"{SEGMENT}/{segmentation.OUTPUT}", "labels": "labels"}
        ),
    }
    outputs = {
        fine_tune.MODEL_OUTPUT: _output(f"{TRAIN}/{fine_tune.MODEL_OUTPUT}"),
        fine_tune.LOGS: _output(f"{TRAIN}/{fine_tune.LOGS}"),
        "trainingScores": _output(f"{TRAIN}/{fine_tune.SCORES}"),
        "labelImages": _output(f"{SEGMENT}/{segmentation.OUTPUT}"),
        dice.OUTPUT: _output(f"{SCORE}/{dice.OUTPUT}"),
    }
    trained = _tool(segment, SEGMENT, of)
    # The container of the first step has the packages of every model, that of the second of StarDist only.
    trained["hints"]["DockerRequirement"]["dockerPull"] = container(train, of)
    tools = [_tool(train, TRAIN, of), trained, _tool(score, SCORE, of)]
    return [*tools, _workflow(inputs, steps, outputs)]


def _tool(plugin: Plugin, step: str, of: About) -> dict[str, Any]:
    return {"id": plugin.name, **cwl.tool(plugin, of, f"{step}-")}


def _input(one: Input) -> dict[str, Any]:
    # Defaults are those of the tools.
    return {"type": cwl.type_of(one), "label": one.label, "doc": cwl.doc(one)}


def _output(source: str) -> dict[str, Any]:
    return {"type": "Directory", "outputSource": source}


def _step(plugin: Plugin, sources: Mapping[str, str]) -> dict[str, Any]:
    return {
        "run": f"#{plugin.name}",
        "in": dict(sources),
        "out": [one.name for one in plugin.outputs],
    }


def _workflow(
    inputs: Mapping[str, Any], steps: Mapping[str, Any], outputs: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "class": "Workflow",
        "id": "main",
        "inputs": dict(inputs),
        "steps": dict(steps),
        "outputs": dict(outputs),
    }
