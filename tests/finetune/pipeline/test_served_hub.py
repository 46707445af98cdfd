"""Included recipes on the command line, with models from a local Hub, up to publishable folders."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from clean_audit import assert_nothing_broken
from hub_server import Hub
from ruamel.yaml import YAML
from tiny_transformers import serve, theirs


def front_matter(card: Path) -> dict:
    return YAML(typ="safe").load(card.read_text(encoding="utf-8").split("---")[1])


def check_folders(run: Path, model: str, commit: str) -> dict:
    """What everyone would see who opened the folders; gives the record."""
    from bioimageio.core import test_description

    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    origin = record["model"]["base"]
    assert (origin["hub_id"], origin["revision"]) == (model, commit)
    assert record["exports"] and all(check["equal"] for check in record["exports"])
    card = front_matter(run / "huggingface/README.md")
    assert (card["base_model"], card["base_model_relation"]) == (model, "finetune")
    assert commit in (run / "huggingface/README.md").read_text(encoding="utf-8")
    assert test_description(next((run / "bioimageio").glob("*.zip"))).status == "passed"
    assert (run / "report.html").stat().st_size > 10_000
    return record


@pytest.mark.slow
def test_segformer(command, discs: Path, hub: Hub, tmp_path: Path) -> None:
    import transformers

    theirs("segformer", num_labels=3).save_pretrained(tmp_path / "theirs")
    commit = serve(hub, tmp_path / "theirs", **{"README.md": b"---\nlicense: mit\n---\n"})
    changes = [f"data.root={discs}", "model.name=somebody/model", "training.epochs=1", "training.patch=64"]
    result = command("run", "segformer_nuclei", *changes, "training.workers=0")
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs/segformer_nuclei"
    record = check_folders(run, "somebody/model", commit)
    assert record["model"]["base"]["license"].lower() == "mit"  # inherited
    transformers.SegformerForSemanticSegmentation.from_pretrained(run / "native")
    assert_nothing_broken(run, discs)


@pytest.mark.slow
def test_an_adapter_of_a_served_model_audits_clean(command, discs: Path, hub: Hub, tmp_path: Path) -> None:
    theirs("segformer", num_labels=3).save_pretrained(tmp_path / "theirs")
    serve(hub, tmp_path / "theirs", **{"README.md": b"---\nlicense: mit\n---\n"})
    changes = [f"data.root={discs}", "model.name=somebody/model", "training.epochs=1", "training.patch=64"]
    result = command("run", "segformer_nuclei", *changes, "training.workers=0", "model.adapt=lora")
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs/segformer_nuclei"
    assert list(run.rglob("adapter_model.safetensors"))
    assert_nothing_broken(run, discs)


def test_what_the_hub_refuses_is_one_line_and_leaves_nothing(
    command, discs: Path, hub: Hub, tmp_path: Path
) -> None:
    hub.add("somebody/model", {"config.json": b"{}"})
    hub.gated.add("somebody/model")
    result = command("run", "segformer_nuclei", f"data.root={discs}", "model.name=somebody/model")
    assert result.returncode == 2
    assert "somebody/model" in result.stderr and result.stderr.count("finetune: ") == 1
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_sam2(command, discs: Path, hub: Hub, tmp_path: Path) -> None:
    from sam2.build_sam import build_sam2

    config, weights = "configs/sam2.1/sam2.1_hiera_t.yaml", io.BytesIO()
    torch.manual_seed(9)
    torch.save({"model": build_sam2(config, device="cpu").state_dict()}, weights)
    name, file = "facebook/sam2.1-hiera-tiny", "sam2.1_hiera_tiny.pt"
    commit = hub.add(name, {file: weights.getvalue()}, lfs={file})
    changes = [f"data.root={discs}", "training.patch=64", "training.workers=0"]
    changes += ["training.epochs=5", "training.images_per_epoch=64", "training.learning_rate=1.0e-3"]
    result = command("run", "sam2_nuclei", *changes, timeout=900)
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs/sam2_nuclei"
    record = check_folders(run, name, commit)
    assert record["model"]["base"]["license"] == "Apache-2.0"
    build_sam2(config, str(run / "native/sam2.1-hiera-tiny_finetuned.pt"), device="cpu")
    assert_nothing_broken(run, discs)
