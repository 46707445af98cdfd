"""SAM and SAM 2 of transformers with prompts: from a folder or a run, and back to what transformers loads."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel
from rich.console import Console
from safetensors.torch import load_file, save_file
from tiny_transformers import CONFIGS, MODELS, SAM2, SEGFORMER, theirs

import finetune
from cards.errors import InputError
from finetune import adapters as adapt
from finetune.data.normalization import build_normalize
from finetune.export.huggingface import save_model
from finetune.prompts import interaction as asking
from finetune.prompts.model import PromptedModel
from finetune.recipe.reader import read_recipe
from finetune.repositories.registry import Loaded, LoadOptions, load, promptable, save, save_adapter
from finetune.targets.prompt_options import Prompts

SIDE = 128
KINDS = ["sam", "sam2"]


def start(checkpoint: Path | None = None, kind: str = "sam", **changes: Any) -> Loaded:
    arguments: dict[str, Any] = {"in_channels": 1, "out_channels": 1, "checkpoint": checkpoint}
    arguments |= {"options": {"image_size": SIDE}}
    if checkpoint is None:
        arguments |= {"options": {"config": CONFIGS[kind], "image_size": SIDE}, "pretrained": False}
    return promptable("huggingface").load("somebody/model", LoadOptions(**arguments | changes))


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model as transformers saves it: the SAM for 256 px, the SAM 2 for 1024."""
    theirs(request.param).save_pretrained(tmp_path / "theirs")
    return tmp_path / "theirs"


def kind_of(folder: Path) -> str:
    return json.loads((folder / "config.json").read_text())["model_type"]


def model_of(folder: Path) -> Any:
    return getattr(transformers, MODELS[kind_of(folder)]).from_pretrained(folder).eval()


def tune(network: Any) -> None:
    """A step that moves all that is trained."""
    trained = [parameter for parameter in network.train().parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    features = network(torch.rand(1, 1, network.image_size, network.image_size))
    for prompts in ([[(9, 9, 1)]], [[(5, 5, 2), (60, 70, 3)]]):
        shape = (network.image_size, network.image_size)
        given, logits = asking.predict_masks(network, features, np.array(prompts, np.float32), shape)
        (logits.square().mean() + given.iou.square().mean()).backward(retain_graph=True)
    optimizer.step()
    network.eval()


@pytest.mark.parametrize("folder", KINDS, indirect=True)
@pytest.mark.parametrize(("how", "options"), [("full", {}), ("head", {}), ("lora", {"rank": 2})])
def test_transformers_loads_what_was_tuned_and_answers_the_same(
    how: str, options: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    loaded = start(folder)
    assert loaded.origin.weights == "pretrained" and loaded.origin.part is None
    tune(adapt.apply(loaded.network, how, options, loaded.encoder))
    network = adapt.merge(loaded.network)
    native = tmp_path / "native"
    assert native / "model.safetensors" in save(network, loaded.architecture, native)
    before, after = model_of(folder).state_dict(), model_of(native).state_dict()
    fitted = {key for key in before if before[key].shape != after[key].shape}  # to the side
    changed = {key for key in before.keys() - fitted if not torch.equal(before[key], after[key])}
    assert bool(fitted) == (kind_of(folder) == "sam")
    assert any(key.startswith("mask_decoder.") for key in changed)
    assert any(key.startswith("vision_encoder.") for key in changed) == (how != "head")
    assert not any("positional_embedding" in key or "pred_obj_score_head" in key for key in changed)
    predictor = promptable("huggingface").predictor(native / "model.safetensors", loaded.architecture)
    image = np.random.default_rng(0).random((90, 140), np.float32)
    predictor.set_image(np.repeat(image[..., None], 3, axis=2))
    boxes = np.array([(30, 20, 70, 50), (10, 10, 100, 80)], np.float32)
    masks, expected = predictor.predict(box=boxes, multimask_output=False)
    with torch.inference_mode():
        features = network(asking.to_square(torch.from_numpy(image)[None, None], SIDE))
        given, logits = asking.predict_masks(network, features, asking.as_corners(boxes), image.shape)
    assert masks.shape == (2, 1, 90, 140)
    assert np.mean(masks != (logits > 0).numpy()) < 1e-3  # up to rounding, where logits are about 0
    np.testing.assert_allclose(given.iou.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_at_another_side_it_sees_what_the_network_for_any_size_sees(folder: Path) -> None:
    prompted = start(folder).network.eval()
    automatic = load("huggingface", "somebody/model", LoadOptions(1, 1, checkpoint=folder)).network
    image = torch.rand(1, 1, SIDE, SIDE)
    with torch.inference_mode():
        pairs = zip(prompted.encoder(image), automatic.eval().encoder(image), strict=True)
        for ours, reference in pairs:
            torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_a_run_with_prompts_comes_back(folder: Path, tmp_path: Path) -> None:
    loaded = start(folder)
    normalize = build_normalize(loaded.normalize)
    model = PromptedModel(
        loaded.network, Prompts(), normalize, "auto", 1, loaded.divisor, loaded.architecture
    )
    save_model(model, tmp_path / "run")
    again = finetune.load(tmp_path / "run")
    assert isinstance(again, PromptedModel)
    assert (again.config(), again.network.image_size) == (model.config(), SIDE)
    image = np.random.default_rng(0).random((70, 50))
    for prompts in ({"points": [(20, 30), (40, 60)]}, {"boxes": [(10, 10, 30, 40)]}):
        assert np.array_equal(model.masks(image, **prompts), again.masks(image, **prompts))
    assert start(tmp_path / "run", options={}).architecture == loaded.architecture  # as the run had it
    assert start(tmp_path / "run", options={"image_size": 64}).network.image_size == 64
    with pytest.raises(InputError, match=r"is from an interactive run, .* start from its weights in native/"):
        load("huggingface", "somebody/model", LoadOptions(1, 1, checkpoint=tmp_path / "run"))
    save(loaded.network, loaded.architecture, tmp_path / "native")
    without = load("huggingface", "somebody/model", LoadOptions(1, 1, checkpoint=tmp_path / "native"))
    kept, decoder = without.network.state_dict(), loaded.network.mask_decoder.state_dict()
    assert all(torch.equal(kept[f"kept.mask_decoder.{key}"], tensor) for key, tensor in decoder.items())


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_a_run_without_prompts_is_a_start_as_well(folder: Path, tmp_path: Path) -> None:
    tuned = load("huggingface", "somebody/model", LoadOptions(1, 3, checkpoint=folder))
    save_file(tuned.network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": tuned.architecture.model_dump()}))
    state, expected = start(tmp_path).network.state_dict(), start(folder).network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)


@pytest.mark.parametrize("folder", ["sam"], indirect=True)
def test_peft_gives_what_was_trained(folder: Path, tmp_path: Path) -> None:
    loaded = start(folder, in_channels=3, options={"image_size": 256, "mean": [0, 0, 0], "std": [1, 1, 1]})
    network = adapt.apply(loaded.network, "lora", {"rank": 2})
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    origin = loaded.origin.model_copy(update={"hub_id": "somebody/model", "revision": "0" * 40})
    assert save_adapter(network, loaded.architecture, origin, tmp_path / "adapter")
    image, box = torch.rand(1, 3, 256, 256), torch.tensor([[[30.0, 20.0, 70.0, 50.0]]])
    plain = model_of(folder)
    with torch.inference_mode():
        given = network.eval().predict_masks(
            network(image),
            box.view(1, 2, 2),
            torch.tensor([[2, 3]], dtype=torch.int32),
            multimask_output=False,
        )
        before = plain(pixel_values=image, input_boxes=box, multimask_output=False).pred_masks[0]
        tuned = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
        after = tuned(pixel_values=image, input_boxes=box, multimask_output=False).pred_masks[0]
    torch.testing.assert_close(given.logits, after, rtol=1e-3, atol=1e-3)
    assert (after - before).abs().max() > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_follow_the_seed(kind: str) -> None:
    state = torch.random.get_rng_state()
    one, two, other = (start(kind=kind, seed=seed).network.mask_decoder.state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"options": {"config": SEGFORMER}},
            "model.target=prompts requires a promptable network; somebody/model is a Segformer",
        ),
        (
            {"options": {"config": CONFIGS["sam"], "image_size": 100}},
            "model somebody/model: image_size must be a multiple of 16 px, got 100",
        ),
        (
            {"options": {"config": SAM2, "image_size": 80}},
            "image_size must be a multiple of 32 px, got 80",
        ),
        (
            {"options": {"config": SAM2, "image_size": "big"}},
            "image_size must be an integer from 64 to 1024, got 'big'",
        ),
        (
            {"options": {"width": 8}},
            "unknown option of model somebody/model 'width'; known: config, mean, std, image_size",
        ),
        ({"options": {}}, "random weights require a configuration, and none is built in"),
        ({"in_channels": 4}, "accepts at most 3 channels, but the images have 4"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        start(**changes)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_transformers_own_generator_labels_images_of_any_proportions() -> None:
    loaded = start(options={"config": CONFIGS["sam"], "image_size": 64})
    network: Any = loaded.network.eval()
    with torch.no_grad():  # so that it is sure of each mask, as its generator wants it to be
        network.mask_decoder.iou_prediction_head.proj_out.bias.fill_(2)
        for head in network.mask_decoder.output_hypernetworks_mlps:
            head.proj_out.weight.mul_(1e6)
    generator = promptable("huggingface").automatic(network, loaded.architecture)
    image = np.random.default_rng(0).random((40, 60, 3), np.float32)
    generator.predictor.set_image(image)
    masks = generator.generate(image)
    assert masks
    for mask in masks:
        assert mask["segmentation"].shape == (40, 60) and mask["segmentation"].dtype == bool
        assert mask["area"] == mask["segmentation"].sum()


RECIPE = [
    "model.repository=huggingface",
    "model.name=somebody/model",
    "model.options={image_size: 64}",
    "model.target=prompts",
    "model.target_options={instances: 3, corrections: 1}",
    "data.validation=0.2",
    "training.images_per_epoch=4",
    "training.batch_size=2",
    "training.epochs=1",
]


@pytest.mark.parametrize(
    ("folder", "how", "images"),
    [("sam2", "head", 0), pytest.param("sam", "lora", 1, marks=pytest.mark.slow)],
    indirect=["folder"],
)
def test_a_run_leaves_what_it_should(
    folder: Path, how: str, images: int, recipe_file: Path, tmp_path: Path
) -> None:
    recipe_file.write_text(recipe_file.read_text().replace("  patch: 32\n", ""))
    changes = [f"model.checkpoint={folder}", f"model.adapt={how}"]
    recipe = read_recipe(recipe_file, [*RECIPE, *changes, f"evaluation.automatic_images={images}"])
    record = finetune.run(recipe, out=tmp_path / "run", console=Console(file=io.StringIO()))
    assert [score.kind for score in record.prompts] == ["point", "point + 1 correction", "box"]
    assert all(score.before is not None for score in record.prompts)
    checks = {check.artifact: check for check in record.exports}
    assert checks.keys() == {"huggingface/model.safetensors", "native/model.safetensors"}
    assert checks["native/model.safetensors"].loaded_by.startswith("transformers ")
    assert all(check.equal for check in record.exports)
    assert model_of(tmp_path / "run" / "native").config.prompt_encoder_config.image_size == 64
    state = load_file(tmp_path / "run" / "native" / "model.safetensors")
    assert not any("lora" in key or key.startswith("kept") for key in state)
    assert finetune.load(tmp_path / "run").masks(np.eye(64), boxes=[(5, 5, 20, 20)]).shape == (1, 64, 64)
    if images:
        assert record.accuracy.images == 1 and record.accuracy.before is not None
        assert record.accuracy.labeled_by.startswith("MaskGenerationPipeline")
