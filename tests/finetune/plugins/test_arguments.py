"""Parameters as platforms pass them: `--name value`, also for booleans and outputs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from plugin_inputs import plugins

from cards.errors import InputError
from finetune.plugins.arguments import parse

PREDICT = ["--imageDir", "/in", "--outputDir", "/out"]


def value_of(name: str, *words: str):
    return parse(plugins()["inference-cellpose"], [*PREDICT, *words])[0][name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("YES", True), ("NO", False), ("true", True), ("false", False), ("True", True), ("no", False)],
)
def test_a_flag_is_yes_or_no_or_true_or_false(text: str, expected: bool) -> None:
    assert value_of("symmetries", "--symmetries", text) is expected
    assert value_of("symmetries", f"--symmetries={text}") is expected


def test_a_value_that_is_not_given_or_empty_is_the_default() -> None:
    assert value_of("filePattern") == value_of("filePattern", "--filePattern", "") == ".*"
    assert value_of("modelDir", "--modelDir", " ") is None


@pytest.mark.parametrize("text", ["null", "/data/inputs/tensorflow-models/null"])
def test_an_empty_field_of_wipp_is_no_folder(text: str) -> None:
    assert value_of("modelDir", "--modelDir", text) is None


def test_outputs_are_parameters() -> None:
    values, outputs = parse(plugins()["inference-cellpose"], PREDICT)
    assert (values["imageDir"], outputs) == (Path("/in"), {"outputDir": Path("/out")})


def test_a_value_may_start_with_a_dash() -> None:
    assert value_of("filePattern", "--filePattern", "-x.*") == "-x.*"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--imageDir", "/in"], "--outputDir: missing"),
        (
            [*PREDICT, "--imagedir", "x"],
            "unknown parameter of plugin inference-cellpose 'imagedir'; did you mean",
        ),
        ([*PREDICT, "--imageDir", "/other"], "--imageDir: given twice"),
        ([*PREDICT, "--model"], "--model: has no value"),
        (["--imageDir", "--outputDir", "/out"], "--imageDir: has no value"),
        ([*PREDICT, "--model", "cyto33"], "unknown value of --model 'cyto33'; did you mean cyto3"),
        ([*PREDICT, "--symmetries", "perhaps"], "--symmetries: must be YES or NO, got 'perhaps'"),
        ([*PREDICT, "x"], "'x': parameters of a plugin have the form --name value"),
    ],
)
def test_a_wrong_parameter_is_one_error(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as raised:
        parse(plugins()["inference-cellpose"], words)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epochs", "0", "--epochs: must be an integer ≥ 1, got '0'"),
        ("epochs", "2.5", "--epochs: must be an integer ≥ 1, got '2.5'"),
        ("learningRate", "0", "--learningRate: must be a number > 0, got '0'"),
        ("learningRate", "nan", "--learningRate: must be a number > 0, got 'nan'"),
    ],
)
def test_numbers_have_the_limits_of_a_recipe(name: str, text: str, message: str) -> None:
    needed = [f"--{one}=/x" for one in ("imageDir", "maskDir", "outputDir", "tensorboardDir", "scores")]
    with pytest.raises(InputError, match=re.escape(message)):
        parse(plugins()["fine-tune"], [*needed, f"--{name}", text])


@pytest.mark.parametrize("text", ["32", "100", "2048"])
def test_the_image_size_has_the_limits_of_the_network(text: str) -> None:
    message = f"--imageSize: must be an integer from 64 to 1024 and a multiple of 32, got '{text}'"
    with pytest.raises(InputError, match=re.escape(message)):
        parse(plugins()["inference-sam2"], [*PREDICT, "--imageSize", text])
