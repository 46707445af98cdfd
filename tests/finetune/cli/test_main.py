from __future__ import annotations

import os
from pathlib import Path

import pytest


def hashes(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_help_needs_no_torch(command) -> None:
    code = (
        "import sys; from finetune.cli.main import app; "
        "heavy = {'torch', 'numpy', 'pytorch_lightning', 'matplotlib', 'bioimageio'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    import subprocess
    import sys

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert "Fine-tune public segmentation models" in command("--help").stdout


def test_ls_tells_what_each_recipe_is(command) -> None:
    output = command("ls").stdout
    assert "bioimageio unet2d_nuclei_broad " in output
    for word in ("quickstart", "unet_nuclei", "dsb2018", "wipp unet", "foreground_boundary", " boundary "):
        assert word in output


def test_validate(command, recipe_file: Path) -> None:
    assert command("validate", "quickstart").returncode == 0
    recipe_file.write_text(recipe_file.read_text().replace("epochs", "epoch"))
    result = command("validate", recipe_file)
    assert result.returncode == 2
    assert "training.epoch: unknown key; did you mean epochs?" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_key_without_its_section_is_named_with_it(command) -> None:
    for given in ("seed=1", "model.seed=1"):
        result = command("validate", "quickstart", given)
        assert result.returncode == 2
        assert f"override {given[:-2]}: unknown key; did you mean training.seed?" in result.stderr


def test_cp_then_validate(command, tmp_path: Path) -> None:
    assert command("cp", "quickstart", "my.yaml").returncode == 0
    assert command("validate", "my.yaml").returncode == 0


def test_dry_run_resolves_everything_and_writes_a_contact_sheet_only(
    command, tmp_path: Path, recipe_file: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    result = command("run", recipe_file, "--dry-run")
    assert result.returncode == 0, result.stderr
    for words in ("13 pairs: 9 train, 1 validation, 3 test", "trainable", "GiB", "instances", "runs/discs"):
        assert words in result.stdout
    assert "px (height × width), 1 channel, uint8, values " in result.stdout
    runs = tmp_path / "runs"
    assert set(tmp_path.rglob("*")) - before == {runs, runs / "discs.preview.png"}
    assert "runs/discs.preview.png" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "name a recipe"),
        (["run", "nothing"], "neither a recipe file nor the name of an included recipe"),
        (["run", "--resume", "nothing"], "no unfinished run"),
        (["run", "quickstart", "--resume", "x"], "remove the other arguments"),
        (["run", "quickstart", "data.root=nowhere"], "no such folder"),
        (["predict", "nothing", "."], "contains no images"),
        (["predict", "nothing", "x" * 5000], "xxx…: the name is too long"),
        (["--nothing"], "no such option: --nothing; see `finetune --help`"),
        (["run", "--ot"], "no such option: --ot (possible options: --out); see `finetune run --help`"),
        (["card", "table", "--out"], "option '--out' requires an argument; see `finetune card table --help`"),
        (["card", "tabel"], "no such command 'tabel'. Did you mean 'table'? See `finetune card --help`"),
        (["evaluate"], "missing argument 'predictions'; see `finetune evaluate --help`"),
        (["evaluate", "a", "b", "--labels", "x"], "invalid value for '--labels': 'x' is not one of"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(command, arguments: list[str], words: str) -> None:
    result = command(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("finetune: ") == len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_version_and_help(command) -> None:
    from importlib.metadata import version

    assert command("--version").stdout == f"finetune {version('finetune')}\n"
    for arguments in ([], ["card"]):
        result = command(*arguments)
        assert result.returncode == 2
        assert result.stderr == command(*arguments, "--help").stdout


def test_a_folder_without_access_is_one_line(command, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    if os.access(tmp_path / "closed", os.R_OK):
        pytest.skip("root may read every folder")
    result = command("predict", "nothing", str(tmp_path / "closed" / "a.tif"))
    assert result.returncode == 2
    assert result.stderr == f"finetune: {tmp_path / 'closed' / 'a.tif'}: no permission to read or write it\n"


def test_bad_data_leaves_no_folder_and_inputs_untouched(
    command, tmp_path: Path, recipe_file: Path, discs: Path
) -> None:
    (discs / "train" / "masks" / "disc_03.tif").unlink()
    before = hashes(discs)
    result = command("run", recipe_file)
    assert result.returncode == 2
    assert "disc_03" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "runs").glob("*"))
    assert hashes(discs) == before
