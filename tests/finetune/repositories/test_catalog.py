"""Model catalog: listing without network access, and counts from servers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from models_command import row, shown

from cards.errors import InputError
from finetune.repositories import counts
from finetune.repositories.bioimageio import counting
from finetune.repositories.catalog import Count, count_models, find_model, list_models
from finetune.repositories.registry import REPOSITORIES, wipp

pytestmark = pytest.mark.usefixtures("own_cache")

COLLECTION = "/bioimage-io/artifacts/bioimage.io/children"
ASKED = ["bioimageio", "huggingface"]


def children(*tags: list[str] | None, total: int | None = None) -> dict[str, Any]:
    """What the collection answers."""
    items = [
        {"id": str(number), "type": "model", "manifest": {"tags": words}} for number, words in enumerate(tags)
    ]
    return {"items": items, "total": len(items) if total is None else total}


@pytest.fixture
def online(hub, monkeypatch):
    """The Hub, with 3 models for image segmentation and one of another kind, and the collection."""
    hub.listed = [{"id": f"a/{index}", "pipeline_tag": "image-segmentation"} for index in range(3)]
    hub.listed.append({"id": "b/1", "pipeline_tag": "mask-generation"})
    hub.extra[COLLECTION] = children(
        ["2d", "Instance-Segmentation", "nuclei-segmentation"], ["semantic-segmentation"], ["denoising"], None
    )
    monkeypatch.setattr(counting, "COLLECTION", hub.url + COLLECTION)
    return hub


def test_every_model_of_every_repository_is_listed():
    listed = list_models()
    assert {model.repository for model in listed} == set(REPOSITORIES)
    for name, module in REPOSITORIES.items():
        assert [model.info for model in listed if model.repository == name] == module.models()


def test_choices():
    assert [model.info.name for model in list_models("wipp")] == ["unet"]
    instances = list_models(task="instance segmentation")
    assert instances and {model.info.task for model in instances} == {"instance segmentation"}
    assert {model.repository for model in instances} < {
        m.repository for m in list_models(task="segmentation")
    }


def test_a_model_that_cannot_be_trained(monkeypatch):
    frozen = replace(wipp.UNET, name="graph", fine_tunable=False, why_not="a graph for inference")
    monkeypatch.setitem(REPOSITORIES, "frozen", SimpleNamespace(models=lambda: [frozen, wipp.UNET]))
    assert [model.info.name for model in list_models("frozen")] == ["graph", "unet"]
    assert [model.info.name for model in list_models("frozen", fine_tunable=True)] == ["unet"]
    assert "no: a graph for inference" in shown("--repository", "frozen")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repository": "wip"}, "unknown repository 'wip'; did you mean wipp?"),
        ({"task": "segmentatoin"}, "unknown task 'segmentatoin'; did you mean"),
        ({"task": "painting"}, "unknown task 'painting'; known: segmentation"),
    ],
)
def test_names_that_are_not_known(options, message):
    with pytest.raises(InputError) as raised:
        list_models(**options)
    assert message in str(raised.value)


def test_repositories_say_how_many_they_have(online):
    counts = count_models()
    assert sorted(counts.answered) == ASKED
    assert not counts.unavailable
    assert [str(count) for count in counts.rows["huggingface"].values()] == ["0", "3", "1"]
    assert [str(count) for count in counts.rows["bioimageio"].values()] == ["0", "2", "0"]
    assert set(counts.rows) == set(REPOSITORIES)
    assert counts.rows["wipp"]["segmentation"] == Count(1)


def test_a_repository_with_all_its_models_here_is_not_asked(online):
    assert row("cellpose") == ["0", "26", "0"]
    assert not online.asked


def test_counting_goes_through_pages(online):
    online.listed = [{"id": f"a/{index}", "pipeline_tag": "image-classification"} for index in range(2500)]
    assert row("huggingface") == ["2,500", "0", "0"]
    assert len([request for request in online.asked if "image-classification" in request.path]) == 3


def test_counting_ends(online, monkeypatch):
    monkeypatch.setattr(counts, "MAX_COUNT", 2000)
    online.listed = [{"id": f"a/{index}", "pipeline_tag": "image-classification"} for index in range(2500)]
    online.extra[COLLECTION] = children(*[["segmentation"]] * 100, total=5000)
    assert row("huggingface") == ["more than 2,000", "0", "0"]
    assert row("bioimageio")[1] == "more than 2,000"


def test_a_collection_that_gives_less_than_it_promised(online):
    online.extra[COLLECTION] = children(total=7)
    assert row("bioimageio") == ["more than 0"] * 3


@pytest.mark.parametrize(
    "answer", [[], {}, {"items": [{}], "total": 1}, {"items": 3, "total": "many"}, "hello"]
)
def test_a_collection_that_answers_something_else(online, answer):
    online.extra[COLLECTION] = answer
    counts = count_models("bioimageio")
    assert counts.unavailable == {"bioimageio": "BioImage.IO did not answer with a list of models"}
    assert row("bioimageio") == ["not known"] * 3


@pytest.mark.parametrize("status", [429, 500, 403])
def test_repositories_that_fail_are_not_known(online, status):
    online.extra.clear()
    online.status = status
    counts = count_models()
    assert sorted(counts.unavailable) == ASKED
    assert not counts.answered
    for name in ASKED:
        assert set(map(str, counts.rows[name].values())) == {"not known"}
    assert str(status) in counts.unavailable["huggingface"]
    assert counts.unavailable["bioimageio"] == "BioImage.IO cannot be reached (HTTPError)"


def test_no_network(online, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(counting, "COLLECTION", "http://127.0.0.1:9/children")
    counts = count_models()
    assert counts.unavailable["huggingface"] == "the Hugging Face Hub cannot be reached (ConnectError)"
    assert counts.unavailable["bioimageio"] == "BioImage.IO cannot be reached (URLError)"
    assert counts.rows["wipp"]["segmentation"] == Count(1)


def test_nobody_is_asked_where_that_is_not_wanted(online, monkeypatch):
    assert row("huggingface", ask=False) == ["not known"] * 3
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    counts = count_models()
    assert counts.unavailable == dict.fromkeys(
        counts.unavailable, "not queried, because HF_HUB_OFFLINE is set"
    )
    assert sorted(counts.unavailable) == ASKED
    assert not online.asked


def test_the_command_lists_and_asks_no_server(command, hub):
    done = command("models")
    assert done.returncode == 0, done.stderr
    assert not hub.asked
    models, _, numbers = done.stdout.partition("number of models")
    assert not numbers
    for words in ("repository", "cyto3", "BSD-3-Clause", "6,600,843", "26 MB", "(any)"):
        assert words in models


def test_the_command_counts_the_models_of_a_repository_that_is_listed_in_full(online):
    rows = [line.split() for line in shown("--repository", "cellpose", "--count").splitlines()]
    assert ["cellpose", "0", "26", "0", "21"] in rows
    assert not online.asked


def test_the_table_of_numbers_quotes_the_talk(online):
    rows = [line.split() for line in shown("--count").splitlines()]
    assert ["sam2", "0", "8", "8", "8"] in rows
    assert ["torchvision", *["20", "6", "0", "20", "image", "classification,", "5", "segmentation"]] in rows
    assert ["huggingface", "0", "3", "1", "not", "quoted"] in rows


def test_the_command_asks_and_goes_on_without_an_answer(hub):
    hub.listed = [{"id": "a/b", "pipeline_tag": "image-segmentation"}]
    first = shown("--repository", "huggingface", "--count")
    assert ["huggingface", "0", "1", "0"] in [line.split()[:4] for line in first.splitlines()]
    assert "huggingface: current answer of the server" in first
    hub.status, hub.listed = 503, []
    later = shown("--repository", "huggingface", "--count")
    assert "huggingface: the Hugging Face Hub reports a server error (503): try again later" in later
    assert "no server has answered" in later
    assert ["huggingface", "0", "1", "0"] in [line.split()[:4] for line in later.splitlines()]
    assert f"huggingface: answer of the server on {datetime.now(UTC).date()}" in later


def test_the_command_says_what_is_wrong_in_a_line(command):
    done = command("models", "--repository", "wip")
    assert done.returncode == 2
    assert done.stderr == "finetune: unknown repository 'wip'; did you mean wipp?\n"
    assert not done.stdout


def test_it_is_quick():
    code = (
        "import sys; from finetune.cli.main import app; app(['models'], standalone_mode=False); "
        "heavy = {'torch', 'transformers', 'sam2', 'bioimageio', 'stardist', 'numpy', 'pooch'}; "
        "sys.exit(str(heavy & set(sys.modules) or 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "0\n"


def test_lists_of_servers_are_stored_with_their_date(online):
    online.extra[COLLECTION] = children(["nuclei", "2d", "semantic-segmentation"], ["3d", "segmentation"])
    manifest = online.extra[COLLECTION]["items"][0]["manifest"]
    manifest |= {"id": "bioimage-io/kind-fox", "name": "Nuclei of foxes", "license": "MIT"}
    manifest |= {"weights": {"torchscript": {}}, "config": {"bioimageio": {"doi": "10.5281/zenodo.123"}}}
    online.extra[COLLECTION]["items"][1]["manifest"] |= {"id": "odd-ox", "name": "Volumes"}
    online.listed = [
        {
            "id": "lab/segformer",
            "pipeline_tag": "image-segmentation",
            "config": {"model_type": "segformer"},
            "safetensors": {"total": 3_752_694},
            "tags": ["license:mit"],
        },
        {"id": "lab/other", "pipeline_tag": "image-segmentation", "config": {"model_type": "yolo"}},
        {"id": "lab/classes", "pipeline_tag": "image-classification", "tags": []},
    ]
    shown("--refresh")
    asked = len(online.asked)
    output = shown("--license", "MIT")
    assert "kind-fox" in output and "Nuclei of foxes" in output and "lab/segformer" in output
    assert f"bioimageio: models as listed by the server on {datetime.now(UTC).date()}" in output
    assert find_model("10.5281/zenodo.123").id == "bioimageio:kind-fox"
    assert "for volumes; finetune trains on 2D images" in shown("show", "odd-ox")
    assert "no network for its architecture (yolo)" in shown("show", "lab/other")
    assert "license       unknown" in shown("show", "lab/classes")
    assert len(online.asked) == asked


def test_a_failed_refresh_keeps_the_stored_list(online):
    online.listed = [{"id": "lab/one", "pipeline_tag": "mask-generation", "config": {"model_type": "sam"}}]
    shown("--refresh")
    online.status = 500
    online.extra.clear()
    output = shown("--refresh", exit_code=1)
    assert "lab/one" in output
    assert "bioimageio: BioImage.IO cannot be reached (HTTPError)" in output


def test_a_damaged_list_counts_as_none(online, tmp_path):
    online.listed = [{"id": "lab/one", "pipeline_tag": "mask-generation"}]
    assert "lab/one" in shown("--refresh") and "lab/one" in shown()
    for path in (tmp_path / "cache" / "catalog").iterdir():
        path.write_text('{"models": [{"name": 3}]')
    assert "lab/one" not in shown()
