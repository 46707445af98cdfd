"""Model catalog: what is listed, filters, and the description of one model with a recipe to start from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from models_command import shown

from cards.errors import InputError
from finetune.pipeline.starting_recipe import recipe_for
from finetune.recipe.reader import read_recipe
from finetune.repositories.catalog import find_model, list_models
from finetune.repositories.registry import REPOSITORIES

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_catalog_has_what_the_talk_counted():
    names = {name: [model.info.name for model in list_models(name)] for name in REPOSITORIES}
    flows = [model for model in list_models("cellpose") if model.info.fine_tunable]
    assert len(names["cellpose"]) == 26 and len(flows) == 24
    assert {"cyto", "tissuenet_cp3", "TN1", "LC4", "CPx", "cpsam"} <= set(names["cellpose"])
    assert len(names["sam2"]) == 8 and {"sam2-hiera-tiny", "sam2.1-hiera-large"} <= set(names["sam2"])
    classifiers = list_models("torchvision", task="image classification")
    assert len(classifiers) == 20
    assert "facebook/sam-vit-huge" in names["huggingface"]
    assert "affable-shark" in names["bioimageio"]


def test_a_classification_network_is_listed_as_an_encoder():
    (row,) = [line for line in shown("--repository", "torchvision").splitlines() if " resnet50 " in line]
    assert "image classification" in row and "not for segmentation; usable as" in row


@pytest.mark.parametrize(
    ("arguments", "listed", "missing"),
    [
        (
            ["--task", "nuclei"],
            ["affable-shark", "cyto3", "2D_paper_dsb2018"],
            ["sam2.1-hiera-tiny", "alexnet"],
        ),
        (["--license", "commercial"], ["unet", "affable-shark", "sam2.1-hiera-tiny"], ["cyto3", "resnet50"]),
        (["--license", "MIT"], [], ["affable-shark", "sam2.1-hiera-tiny"]),
        (["--license", "apache"], ["sam2.1-hiera-tiny"], ["affable-shark"]),
        (["--fits-in", "8GB"], ["sam2.1-hiera-large", "affable-shark"], ["facebook/sam-vit-huge"]),
        (["--fits-in", "1 GiB", "--license", "Apache-2.0"], ["sam2.1-hiera-tiny"], ["sam2.1-hiera-large"]),
    ],
)
def test_filters(arguments, listed, missing):
    models = {line.split()[1] for line in shown(*arguments).splitlines() if len(line.split()) > 1}
    assert set(listed) <= models
    assert not set(missing) & models


def test_a_filter_says_what_it_left_out():
    output = shown("--license", "commercial", "--repository", "torchvision")
    assert "no model fits" in output
    assert "not listed: 26 models whose license is unknown or leaves the use open" in output


@pytest.mark.parametrize("size", ["8", "much", "8 XB", "0GB", "-1GB"])
def test_a_size_that_is_none(size):
    with pytest.raises(InputError, match=f"^'{size}': not a size of memory"):
        shown(f"--fits-in={size}")


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("cyto3", "cellpose:cyto3"),
        ("sam2:sam2-hiera-tiny", "sam2:sam2-hiera-tiny"),
        ("affable-shark", "bioimageio:affable-shark"),
        ("10.5281/zenodo.5764892", "bioimageio:affable-shark"),
        ("https://doi.org/10.5281/zenodo.5764892", "bioimageio:affable-shark"),
        ("bioimageio:some-animal", "bioimageio:some-animal"),
        ("user/model", "huggingface:user/model"),
    ],
)
def test_a_model_is_found_by_each_of_its_names(name, id):
    assert find_model(name).id == id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet", "unet: several repositories have this model; use wipp:unet or stardist:unet"),
        ("cyto33", "unknown model 'cyto33'; did you mean cyto3 or cyto?"),
        ("qqqq", "unknown model 'qqqq'; `finetune models` lists the models"),
    ],
)
def test_a_model_that_is_not_found(name, message):
    with pytest.raises(InputError) as raised:
        find_model(name)
    assert str(raised.value) == message


def test_a_model_is_described_with_a_recipe_to_start_from(tmp_path):
    output = shown("show", "cellpose:nuclei")
    assert "exposure      dsb2018: unknown (Stringer" in output
    assert "ask before any commercial use" in output
    recipe = output[output.index("model:\n") :].replace("PATH", str(tmp_path))
    (tmp_path / "mine.yaml").write_text(recipe)
    assert read_recipe(tmp_path / "mine.yaml").model.target == "flows"


@pytest.mark.parametrize("repository", sorted({model.repository for model in list_models()}))
def test_every_recipe_to_start_from_is_valid(repository, tmp_path):
    models = [model.info for model in list_models() if model.repository == repository]
    for model in (model for model in models if model.fine_tunable):
        text = recipe_for(repository, replace(model, name=model.name.replace("*", "user/name")))
        (tmp_path / "mine.yaml").write_text(text.replace("PATH", str(tmp_path)))
        assert read_recipe(tmp_path / "mine.yaml").model.repository == repository, model.name
