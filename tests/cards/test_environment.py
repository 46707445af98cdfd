import platform
from pathlib import Path

import numpy as np

from cards.environment import capture_environment


def test_environment_names_the_machine_and_nobody():
    found = capture_environment(["NVIDIA H100"])
    assert found.gpus == ["NVIDIA H100"]
    assert found.cpu
    assert found.cores >= 1
    assert found.memory_bytes and found.memory_bytes > 2**28
    assert found.packages["numpy"] == np.__version__
    text = found.model_dump_json()
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text
    assert not platform.node() or platform.node() not in found.model_dump().values()


def test_packages_that_extend_finetune_are_recorded_if_they_are_installed():
    packages = capture_environment([], ["ruamel.yaml", "nothing-of-that-name"]).packages
    assert packages["ruamel.yaml"]
    assert "nothing-of-that-name" not in packages
