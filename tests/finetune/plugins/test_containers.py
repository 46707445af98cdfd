"""Container files: they agree with the plugins, hadolint accepts them, and their steps run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import tifffile
from plugin_inputs import plugins
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
CONTAINERS = ROOT / "containers"


def test_the_workflow_builds_every_plugin() -> None:
    workflow = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "containers.yml")
    job = workflow["jobs"]["plugin"]
    assert job["strategy"]["matrix"] == {"base": ["cpu", "cuda"], "plugin": list(plugins())}


def test_apptainer_takes_the_present_version() -> None:
    text = (CONTAINERS / "apptainer.def").read_text(encoding="utf-8")
    assert f"VERSION={version('finetune')}\n" in text
    assert "wipp/wipp-{{ PLUGIN }}-plugin:{{ VERSION }}" in text


@pytest.mark.parametrize(
    "file", ["containers/Dockerfile", "docs/how-to/plugins.md", "docs/how-to/register-plugins.md"]
)
def test_examples_of_image_tags_state_the_present_version(file: str) -> None:
    tags = re.findall(r"wipp/wipp-[\w-]+-plugin:([\d.]+\d)", (ROOT / file).read_text(encoding="utf-8"))
    assert set(tags) == {version("finetune")}


def test_extras_of_the_plugins_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert all(set(plugin.extras) <= set(extras["optional-dependencies"]) for plugin in plugins().values())


def test_the_image_does_not_run_as_root_and_caches_weights_in_a_mount() -> None:
    text = (CONTAINERS / "Dockerfile").read_text(encoding="utf-8")
    last = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert re.search(r"^VOLUME /weights$", last, re.MULTILINE)
    assert all(f"{name}=/weights/" in last for name in ("FINETUNE_CACHE", "HF_HOME", "TORCH_HOME"))


def test_everything_that_the_image_copies_exists() -> None:
    text = (CONTAINERS / "Dockerfile").read_text(encoding="utf-8")
    copied = [words for words in re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", text, re.MULTILINE)]
    assert copied and all((ROOT / file).exists() for words in copied for file in words.split())


def test_hadolint_finds_nothing() -> None:
    if not (hadolint := shutil.which("hadolint")):
        pytest.skip("hadolint is not on PATH")
    result = subprocess.run([hadolint, CONTAINERS / "Dockerfile"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("words", [["--help"], ["finetune", "plugin", "run", "audit", "--help"]])
def test_the_entry_point_takes_parameters_or_a_whole_command(words: list[str], tmp_path: Path) -> None:
    command = tmp_path / "finetune"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m finetune.cli "$@"\n')
    command.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.defpath}",
        "PYTHONPATH": str(ROOT),
        "PLUGIN": "audit",
    }
    result = subprocess.run(
        ["sh", CONTAINERS / "entrypoint.sh", *words], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Usage: finetune plugin run audit ")


@pytest.mark.slow
def test_the_steps_of_the_image_run_in_a_fresh_environment(tmp_path: Path) -> None:
    if not shutil.which("uv"):
        pytest.skip("uv is not on PATH")
    plugin, target = "dice-segmentationaccuracy", tmp_path / "installed"
    subprocess.run(["sh", CONTAINERS / "install.sh", plugin, ROOT, target], check=True, cwd=tmp_path)
    for name, width in (("predictions", 4), ("reference", 8)):
        (tmp_path / name).mkdir()
        labels = np.zeros((16, 16), np.uint8)
        labels[:8, :width] = 1
        tifffile.imwrite(tmp_path / name / "a.tif", labels)
    home = tmp_path / "home"
    home.mkdir()
    result = subprocess.run(
        [
            *("sh", CONTAINERS / "entrypoint.sh"),
            *("--predictionDir", tmp_path / "predictions", "--referenceDir", tmp_path / "reference"),
            *("--scores", tmp_path / "scores"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            "PATH": f"{target / 'bin'}:{os.defpath}",
            "PLUGIN": plugin,
            "HOME": str(home),
            "TMPDIR": "/nonexistent",
        },
    )
    assert result.returncode == 0, result.stderr
    assert "Dice 0.6667" in result.stderr
    assert not list(home.iterdir())
