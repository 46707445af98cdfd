"""`finetune.register_*`: components added from a script are used by name, and mistakes are one line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import finetune
from finetune.adapters import ADAPTERS, Full
from finetune.export.registry import EXPORTERS
from finetune.metrics.registry import METRICS
from finetune.repositories import wipp
from finetune.repositories.registry import REPOSITORIES
from finetune.targets.foreground import Foreground
from finetune.targets.registry import TARGETS, build_target

MODULE = SimpleNamespace(models=list, build=None, load=None, save=None)


class Nuclei(Foreground):
    name = "nuclei"


def count(prediction: np.ndarray, reference: np.ndarray) -> float:
    return 0.0


def test_components_registered_in_a_script_are_found_by_name() -> None:
    finetune.register_repository("mylab", wipp)
    finetune.register_target("nuclei", Nuclei)
    finetune.register_metric("count", count, label="Count", meaning="always 0")
    finetune.register_adapter("everything", Full)
    exporter = SimpleNamespace(OUTPUT="x/", supports=None, write=None, reload=None)
    finetune.register_exporter("x", exporter)
    try:
        recipe = finetune.read_recipe(
            "quickstart", ["model.repository=mylab", "model.target=nuclei", "model.adapt=everything"]
        )
        assert isinstance(build_target(recipe.model.target), Nuclei)
        assert "mylab" in {listed.repository for listed in finetune.list_models()}
        labels = np.eye(4, dtype=np.int32)
        assert finetune.evaluate(labels, labels).images["0"]["count"] == 0
        assert EXPORTERS["x"] is exporter
    finally:
        del REPOSITORIES["mylab"], TARGETS["nuclei"], METRICS["count"], ADAPTERS["everything"], EXPORTERS["x"]


@pytest.mark.parametrize(
    ("register", "name", "component", "message"),
    [
        (finetune.register_repository, "wipp", MODULE, "repository 'wipp': the name is taken"),
        (finetune.register_repository, "mylab", object(), "'mylab': object lacks models, build, load, save"),
        (finetune.register_target, "flows", Nuclei, "target 'flows': the name is taken"),
        (finetune.register_target, "prompts", Nuclei, "target 'prompts': the name is taken"),
        (finetune.register_target, "other", Nuclei, "Nuclei.name is 'nuclei'; both must be equal"),
        (finetune.register_target, "other", Full, "target 'other': Full lacks Options, name, labels"),
        (finetune.register_adapter, "lora", Full, "adapter 'lora': the name is taken"),
        (finetune.register_adapter, "mine", object, "adapter 'mine': object lacks apply"),
        (finetune.register_exporter, "native", MODULE, "exporter 'native': the name is taken"),
        (finetune.register_exporter, "x", MODULE, "exporter 'x': SimpleNamespace lacks OUTPUT, supports"),
    ],
)
def test_what_cannot_be_registered_is_one_line(register, name: str, component, message: str) -> None:
    with pytest.raises(finetune.InputError) as caught:
        register(name, component)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
