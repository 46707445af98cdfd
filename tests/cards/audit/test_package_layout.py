"""What rdf.yaml says of a model, and the code in its package, where it differs from what finetune writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import audited_package
import pytest
from audited import PACKAGE, broken, claims_of

from cards.audit.claims import Processing, Tools


def channels(key: str, *names: str) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        found[key][0]["axes"][1]["channel_names"] = list(names)

    return change


def percentile(found: dict[str, Any]) -> None:
    found["inputs"][0]["preprocessing"][0]["kwargs"]["max_percentile"] = 80.0


def comment(found: dict[str, Any]) -> None:
    found["weights"]["torchscript"]["comment"] = "Weights of epoch 3 of 500."


def wider(found: dict[str, Any]) -> None:
    kwargs = {"in_channels": 1, "out_channels": 2, "depth": 4, "width": 999}
    found["weights"]["pytorch_state_dict"] = {
        "source": "weights.pt",
        "strict": True,
        "pytorch_version": "2.15.0",
        "architecture": {"callable": "UNet", "kwargs": kwargs},
    }


def tensor(key: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found[key][0].update(values)


def entry(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found["weights"]["torchscript"].update(values)


def pixel_size(found: dict[str, Any]) -> None:
    found["inputs"][0]["axes"][2] |= {"scale": 0.108, "unit": "micrometer"}


def larger(found: dict[str, Any]) -> None:
    found["inputs"][0]["axes"][3]["size"]["min"] = 1024


def attachment(found: dict[str, Any]) -> None:
    found["attachments"].append({"source": "https://example.org/x.py", "sha256": "0" * 64})


def older_operators(found: dict[str, Any]) -> None:
    found["weights"]["onnx"] = {"source": "weights.pt", "parent": "torchscript", "opset_version": 11}


def own(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found["config"]["finetune"].update(values)


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        (channels("inputs", "DAPI"), "inputs[0].axes[1].channel_names[0]: DAPI"),
        (channels("outputs", "boundary", "foreground"), "outputs[0].axes[1].channel_names[0]: boundary"),
        (percentile, "preprocessing[0].kwargs.max_percentile: 80.0"),
        (comment, "weights.torchscript.comment: Weights of epoch 3 of 500."),
        (wider, "architecture.kwargs.width: 999"),
        (lambda found: found.update(version="9.9.9"), "version: 9.9.9 is not in the record"),
        (lambda found: found.update(uploader={"email": "eve@example.org"}), "uploader: "),
        (lambda found: found.update(accuracy="Dice 0.99"), "accuracy: Dice 0.99 is not in the record"),
        (lambda found: found.update(id="affable-shark"), "id: affable-shark is not in the record"),
        (
            lambda found: found.update(run_mode={"name": "deepimagej"}),
            "run_mode: {'name': 'deepimagej'}, the record gives None",
        ),
        (
            lambda found: found["covers"].append("https://example.org/x.png"),
            "covers[1]: https://example.org/x.png",
        ),
        (attachment, "attachments[1]: https://example.org/x.py is not a file of the package"),
        (tensor("inputs", description="any image; Dice 0.99"), "inputs[0].description: any image; Dice 0.99"),
        (tensor("outputs", description="Dice 0.99"), "outputs[0].description: Dice 0.99"),
        (tensor("outputs", optional="yes"), "outputs[0].optional: yes is not in the record"),
        (pixel_size, "inputs[0].axes[2].scale: 0.108 is not in the record"),
        (larger, "inputs[0].axes[3].size.min: 1024"),
        (older_operators, "weights.onnx.opset_version: 11, the record gives 18"),
        (entry(pytorch_version="1.4.0"), "weights.torchscript.pytorch_version: 1.4.0"),
        (
            entry(dependencies={"source": "x.yaml"}),
            "weights.torchscript.dependencies: {'source': 'x.yaml'}, the record gives None",
        ),
        (
            lambda found: found["config"].update(lab={"dice": 0.99}),
            "config.lab: {'dice': 0.99} is not in the record",
        ),
        (own(dice=0.99), "config.finetune.dice: 0.99 is not in the record"),
        (
            lambda found: found["config"]["bioimageio"].update(
                reproducibility_tolerance=[{"absolute_tolerance": 1e9}]
            ),
            "reproducibility_tolerance: 1 entries, the record gives 0",
        ),
    ],
)
def test_what_a_package_says_of_its_model(run: Path, change: Any, evidence: str) -> None:
    content = audited_package.read_package(run / PACKAGE)
    audited_package.edit_description(content, change)
    audited_package.write_package(run / PACKAGE, content)
    tools = Tools(processing=lambda _: Processing(before=audited_package.PREPROCESSING, behind=None))
    found = broken(claims_of(run, "card", tools=tools))
    assert any(evidence in text for text in found), found


@pytest.mark.parametrize(
    ("code", "known", "verdict"),
    [
        ("class UNet: ...", {"UNet": ["class UNet: ..."]}, "holds"),
        ("class UNet: ...\nimport os; os.system('x')", {"UNet": ["class UNet: ..."]}, "broken"),
        ("class UNet: ...", {"CPnet": ["class UNet: ..."]}, "broken"),
        ("class UNet: ...", None, "cannot tell"),
    ],
)
def test_code_in_a_package_that_other_tools_execute(run: Path, code: str, known: Any, verdict: str) -> None:
    content = audited_package.read_package(run / PACKAGE)
    content["architecture.py"] = code.encode()

    def add(found: dict[str, Any]) -> None:
        wider(found)
        found["weights"]["pytorch_state_dict"]["architecture"] |= {"source": "architecture.py"}

    audited_package.edit_description(content, add)
    audited_package.write_package(run / PACKAGE, content)
    tools = Tools(
        processing=lambda _: Processing(before=audited_package.PREPROCESSING, behind=None, sources=known)
    )
    claims = claims_of(run, "card", tools=tools)
    (claim,) = [claim for claim in claims if "is source code of finetune" in claim.statement]
    assert claim.verdict == verdict
