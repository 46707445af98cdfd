from __future__ import annotations

from pathlib import Path

import pytest
from recipe_errors import complaint

from cards.errors import InputError
from finetune.recipe.library import all_recipes, copy_recipe, recipe_folder, recipe_path
from finetune.recipe.reader import read_recipe, write_recipe
from finetune.recipe.schema import Recipe


def changed(recipe_file: Path, old: str, new: str) -> Path:
    text = recipe_file.read_text()
    assert old in text
    recipe_file.write_text(text.replace(old, new))
    return recipe_file


def test_the_name_is_the_file_s(recipe_file: Path) -> None:
    assert read_recipe(recipe_file).name == "discs"


def test_a_typo_is_told_with_file_line_key_and_the_nearest_name(recipe_file: Path) -> None:
    message = complaint(changed(recipe_file, "  patch: 32", "  pach: 32"))
    line = recipe_file.read_text().splitlines().index("  pach: 32") + 1
    assert message == f"{recipe_file}:{line}: training.pach: unknown key; did you mean patch?"


def test_every_mistake_is_told_once(recipe_file: Path) -> None:
    changed(recipe_file, "  epochs: 3", "  epochs: none")
    changed(recipe_file, "  root:", "  channels: [0, blue]\n  root:")
    lines = complaint(recipe_file).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["data.channels", "training.epochs"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs=0", "must be an integer ≥ 1, got 0"),
        ("training.epochs=ten", "must be an integer ≥ 1, got 'ten'"),
        ("training.learning_rate=50", "must be from 1e-05 to 0.01 for unet, got 50"),
        ("training.learning_rate=.nan", "must be a number > 0, got nan"),
        ("training.augmentation.scale=[2, 1]", "the smaller first"),
        ("data.labels=boundaries", "must be instances or foreground or boundary, got 'boundaries'"),
        ("data.name=dsb2081", "did you mean dsb2018?"),
        ("data.root=nowhere", "no such folder"),
        ("data.normalize={name: percentil}", "did you mean percentile?"),
        ("model.target=foregruond", "did you mean foreground"),
        ("model.adapt=lorra", "did you mean lora?"),
        ("model.adapt_options={rank: 4}", "unknown option of model.adapt full 'rank'; known: none"),
        ("model.name=unett", "did you mean unet?"),
        ("model.repository=wip", "did you mean wipp?"),
        (
            "model.options={wdith: 8}",
            "model.options.wdith: unknown option of model unet 'wdith'; did you mean width",
        ),
        ("model.options.depth=9", "model.options.depth: must be an integer from 1 to 6, got 9"),
        ("model.options.width=8.5", "model.options.width: must be an integer from 4 to 256, got 8.5"),
        ("model.trget=foreground", "did you mean target?"),
        ("compute.device=2", "did you mean devices?"),
        ("trainig.epochs=2", "override trainig.epochs: trainig: unknown key; did you mean training?"),
        ("training.augmentatio.noise=1", "did you mean augmentation?"),
    ],
)
def test_an_impossible_override_is_told_by_its_key(recipe_file: Path, override: str, words: str) -> None:
    message = complaint(recipe_file, override)
    assert message.startswith("override ")
    assert words in message
    assert len(message.splitlines()) == 1


def test_fractions_that_leave_nothing_to_train_on(recipe_file: Path) -> None:
    message = complaint(recipe_file, "data.validation=0.6", "data.test=0.6")
    assert "data: validation and test together leave nothing to train on" in message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs", "'training.epochs': an override has the form KEY=VALUE, such as "),
        ("=3", "'=3': an override has the form KEY=VALUE, such as "),
        ("training.epochs=[1", "override training.epochs: not valid YAML: "),
    ],
)
def test_an_override_that_is_none(recipe_file: Path, override: str, words: str) -> None:
    assert complaint(recipe_file, override).startswith(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: [", "not valid YAML"),
        ("", "has the keys"),
        ("- a list", "has the keys"),
        ("model: {}\nmodel: {}\n", 'found duplicate key "model"'),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert words in complaint(path)


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text("data: {name: sample}\n")
    assert f"{path}:1: model: missing" in complaint(path)


def test_a_written_recipe_reads_back_the_same(recipe_file: Path, tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file, ["training.learning_rate=1e-3", "compute.precision=bf16-mixed"])
    write_recipe(recipe, tmp_path / "again.yaml")
    assert read_recipe(tmp_path / "again.yaml") == recipe


def test_the_recipes_that_come_with_finetune_are_valid_and_say_how_to_run_them() -> None:
    recipes = all_recipes()
    assert {"quickstart", "unet_nuclei", "unet_boundary"} <= {recipe.name for recipe in recipes}
    for recipe in recipes:
        assert isinstance(recipe, Recipe)
        header = recipe_path(recipe.name).read_text().partition("\nmodel:")[0]
        assert f"# finetune run {recipe.name}" in header
        assert "# Results" in header


def test_copy_never_overwrites(tmp_path: Path) -> None:
    copy_recipe("quickstart", tmp_path / "my.yaml")
    assert (tmp_path / "my.yaml").read_bytes() == (recipe_folder() / "quickstart.yaml").read_bytes()
    with pytest.raises(InputError, match="exists"):
        copy_recipe("unet_nuclei", tmp_path / "my.yaml")
    with pytest.raises(InputError, match="neither a recipe file nor the name of an included recipe"):
        copy_recipe("nothing", tmp_path / "other.yaml")


ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ALIASES, "counting those that aliases repeat"),
        ("name: &self [*self]", "contains itself"),
        ("name: " + "[" * 100_000 + "]" * 100_000, "nested more than 50 levels deep"),
        ("name: " + "{a: " * 5000 + "1" + "}" * 5000, "nested more than 50 levels deep"),
        ("extra:\n" + "".join(f"  key{index}: {index}\n" for index in range(300_000)), "larger than 1 MB"),
        (
            "extra:\n" + "".join(f"  key{index}: {index}\n" for index in range(50_000)),
            "more than 20,000 values",
        ),
        ("name: a\0b", "control character '\\x00'"),
        ('name: "a\\0b"', "control character '\\x00'"),
        ("name: a\x1b[31mb", "control character"),
        ("name: " + "a" * 10_000, "missing"),
    ],
    ids=["aliases", "recursion", "lists", "mappings", "size", "keys", "nul", "escaped", "color", "long"],
)
def test_an_absurd_file_is_refused_in_short_lines(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "absurd.yaml"
    path.write_text(text)
    lines = complaint(path).splitlines()
    assert words in lines[-1]
    assert all(line.startswith(str(path)) and len(line) < len(str(path)) + 300 for line in lines)
    assert len(lines) == 1 or words == "missing"


def test_an_override_with_a_control_character_is_one_line(recipe_file: Path) -> None:
    message = complaint(recipe_file, "card.title=a\x01b")
    assert message == "override card.title: not valid YAML: control character '\\x01'"


def test_only_recipes_are_copied(recipe_file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("root:x:0:0\n")
    with pytest.raises(InputError):
        copy_recipe(str(secret), tmp_path / "copy.yaml")
    assert not (tmp_path / "copy.yaml").exists()
    copy_recipe(str(recipe_file), tmp_path / "copy.yaml")
    assert (tmp_path / "copy.yaml").read_bytes() == recipe_file.read_bytes()


def test_errors_in_options_have_line_and_full_key(recipe_file: Path) -> None:
    changed(recipe_file, "  root:", "  normalize:\n    name: percentile\n    lwo: 2\n  root:")
    lines = recipe_file.read_text().splitlines()
    assert complaint(recipe_file, "model.adapt=lora", "model.adapt_options.rank=0.5").splitlines() == [
        "override model.adapt_options.rank: must be an integer ≥ 1, got 0.5",
        f"{recipe_file}:{lines.index('    lwo: 2') + 1}: data.normalize.lwo: "
        "unknown option of normalization percentile 'lwo'; did you mean low?",
    ]


def test_options_of_networks_depend_on_the_task(recipe_file: Path) -> None:
    sam2 = ["model.repository=sam2", "model.name=sam2.1-hiera-tiny", "model.options={image_size: 32}"]
    assert "unknown option" in complaint(recipe_file, *sam2)
    message = complaint(recipe_file, *sam2, "model.target=prompts", "training.learning_rate=1e-5")
    assert message == (
        "override model.options.image_size: must be an integer from 64 to 1024 and a multiple of 32, got 32"
    )


def test_options_that_contradict_each_other(recipe_file: Path) -> None:
    message = complaint(recipe_file, "data.normalize={name: percentile, low: 60, high: 50}")
    assert message == "override data.normalize: low must be smaller than high, got 60 and 50"


def test_home_is_expanded_in_paths_of_the_data(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home" / "x").mkdir(parents=True)
    (tmp_path / "home" / "pairs.csv").write_text("image,label\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    read_recipe(recipe_file, ["data.root=~/x"])
    read_recipe(recipe_file, ["data={csv: ~/pairs.csv}"])
    assert "~/y: no such folder" in complaint(recipe_file, "data.root=~/y")
