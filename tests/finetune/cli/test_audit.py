"""`finetune audit`: report, exit code, JSON and HTML, of a folder, a package and a model on the Hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import audited
import pytest
from click.testing import Result
from hub_server import Hub
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app

FIELDS = {"family", "statement", "verdict", "evidence", "remedy"}


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    audited.write_run(tmp_path / "run")
    return tmp_path / "run"


def damage(run: Path) -> Path:
    (run / "huggingface" / "model.safetensors").write_bytes(b"other weights")
    return run


def test_the_report_has_each_claim_with_its_evidence(run: Path) -> None:
    result = audit(run)
    lines = result.stdout.splitlines()
    assert lines[0] == f"Audit of {run}"
    assert "  holds        The model comes with a valid run record." in lines
    assert "cannot be decided." in lines[-1]
    assert "\x1b" not in result.stdout


def test_a_broken_claim_is_exit_code_1_and_an_undecided_one_is_3(run: Path) -> None:
    assert audit(run).exit_code == 3  # it is not signed
    result = audit(damage(run))
    assert result.exit_code == 1
    assert "huggingface/model.safetensors: SHA-256" in result.stdout


def test_json_has_a_stable_schema(run: Path) -> None:
    content = json.loads(audit(damage(run), "--json").stdout)
    assert set(content) == {"schema", "finetune_version", "source", "counts", "claims"}
    assert content["schema"] == 1
    assert content["source"] == str(run)
    assert set(content["counts"]) == {"holds", "broken", "cannot tell"}
    assert sum(content["counts"].values()) == len(content["claims"])
    assert all(set(claim) == FIELDS for claim in content["claims"])
    assert all(claim["remedy"] for claim in content["claims"] if claim["verdict"] != "holds")


def test_the_page_shows_what_does_not_hold_first(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    assert audit(damage(run), "--html", page).exit_code == 1
    text = page.read_text(encoding="utf-8")
    assert text.index("Claims that do not hold") < text.index("<h2>Files</h2>")
    assert "model.safetensors: SHA-256" in text
    assert "<script" not in text
    assert "src=" not in text and "href=" not in text  # nothing is requested
    assert f"<h1>Audit of {run.name}</h1>" in text  # the page may be passed on, and names no local path
    assert str(tmp_path) not in text
    assert audit(run, "--html", page).exit_code == 1  # its own report is replaced


def test_no_other_file_is_replaced_by_the_page(run: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.html"
    thesis.write_text("<p>my thesis</p>")
    result = audit(run, "--html", thesis)
    assert "exists and is not the report of an audit" in str(result.exception)
    assert thesis.read_text() == "<p>my thesis</p>"


def test_a_folder_without_a_model_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "finetune.cli", "audit", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "there is no model in this folder" in done.stderr


def test_a_package_is_audited(run: Path) -> None:
    result = audit(run / audited.PACKAGE)
    assert result.exit_code == 3
    assert "rdf.yaml has what BioImage.IO requires" in result.stdout


def test_images_that_are_not_there_are_one_line(run: Path, tmp_path: Path) -> None:
    assert "no such folder of images" in str(audit(run, "--data", tmp_path / "absent").exception)


def published(run: Path) -> dict[str, bytes]:
    folder = run / "huggingface"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_model_on_the_hub_is_downloaded_and_audited(run: Path, hub: Hub) -> None:
    files = published(run)
    hub.add("lab/nuclei", {**files, ".gitattributes": b"*.safetensors lfs"}, lfs={"model.safetensors"})
    result = audit("lab/nuclei", "--json")
    assert result.exit_code == 3, result.output
    content = json.loads(result.stdout)
    assert content["counts"]["broken"] == 0
    assert content["source"] == "lab/nuclei"
    assert str(run) not in result.stdout


def test_a_changed_model_on_the_hub_is_found(run: Path, hub: Hub) -> None:
    files = published(run)
    readme = files["README.md"].replace(b"0.9263", b"0.9763")
    assert readme != files["README.md"]
    hub.add("lab/nuclei", {**files, "README.md": readme, "setup.py": b"pass"})
    result = audit("lab/nuclei")
    assert result.exit_code == 1
    assert "0.9763 instead of 0.9263" in result.stdout
    assert "setup.py is not in the record" in result.stdout


def test_a_model_that_is_not_on_the_hub_is_one_line(hub: Hub) -> None:
    assert "no such model on the Hugging Face Hub" in str(audit("lab/nothing").exception)


def test_bioimageio_spec_judges_the_package_with_recompute(run: Path) -> None:
    result = audit(run / audited.PACKAGE, "--recompute")
    assert "bioimageio.spec accepts the package." in result.stdout
    assert result.exit_code == 1  # the tensors of this package are placeholders


def test_the_audit_needs_no_deep_learning_framework(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "huggingface", tmp_path / "model")
    code = (
        "import sys; from typer.testing import CliRunner; from finetune.cli.main import app\n"
        "code = CliRunner().invoke(app, ['audit', sys.argv[1]]).exit_code\n"
        "print(code, [name for name in ('torch', 'bioimageio.spec', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "model"], capture_output=True, text=True)
    assert done.stdout.strip() == "3 []", done.stderr  # 3: it is not signed


def test_the_function_returns_the_claims_of_the_command(run: Path) -> None:
    import finetune

    claims = finetune.audit(run)
    assert [claim.verdict for claim in claims if claim.family == "card"].count("holds") > 10
    with pytest.raises(finetune.ModelError, match="no such folder or file"):
        finetune.audit(run / "absent")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        ("-----BEGIN PRIVATE KEY-----", "not a PEM file with -----BEGIN PUBLIC KEY-----"),
    ],
)
def test_a_key_that_is_none_is_refused_before_anything_is_compared(
    run: Path, tmp_path: Path, content: str | None, words: str
) -> None:
    key = tmp_path / "author.pub"
    if content:
        key.write_text(content)
    result = audit(run, "--key", key)
    assert isinstance(result.exception, InputError) and words in str(result.exception)
    assert result.stdout == ""


def test_a_report_adds_no_file_to_the_audited_model(run: Path) -> None:
    result = audit(run, "--html", run / "mine.html")
    assert "would be a file of the model; choose another place, or the name audit.html" in str(
        result.exception
    )
    assert audit(run, "--html", run / "audit.html").exit_code == audit(run).exit_code


def test_an_unfinished_run_is_no_model_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a.partial").mkdir(parents=True)
    expected = "runs/a: the run is unfinished; continue it with: finetune run --resume runs/a"
    assert str(audit("runs/a").exception) == expected


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_all_characters_gets_a_report(run: Path, tmp_path: Path, encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "finetune.cli", "card", "show", str(run)], env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding)
