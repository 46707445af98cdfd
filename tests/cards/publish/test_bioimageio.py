"""Publishing on BioImage.IO: over HTTP, to a server on this machine that speaks both dialects."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from artifact_server import Collection, CollectionServer
from finished_run import write_run
from publish_faults import TOKEN

from cards.publish.bioimageio_rules import broken_rules

TO = ("--to", "bioimageio")


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection]:
    with CollectionServer() as served:
        served.token = TOKEN
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD", served.create)
        monkeypatch.setenv("BIOIMAGEIO_HYPHA_UPLOAD_TOKEN", TOKEN)
        yield served


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A run whose package meets the rules of the collection."""
    return write_run(tmp_path / "run", listed=True)


def package_of(run: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(next((run / "bioimageio").glob("*.zip"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("dialect", ["version", "stage"])
def test_a_draft_has_all_files_and_waits_for_a_review(collection, listed, publish, dialect):
    collection.dialect = dialect
    result = publish(listed, *TO)
    assert (result.code, result.errors) == (0, [])
    assert collection.complete(package_of(listed)) == ["bioimage-io/happy-shark-0"]
    assert "read back and equal, review requested" in result.out
    assert 'load_description("happy-shark-0/draft")' in result.out


@pytest.mark.parametrize("dialect", ["version", "stage"])
def test_a_draft_is_continued_instead_of_creating_another_one(collection, listed, publish, dialect):
    collection.dialect = dialect
    publish(listed, *TO)
    collection.artifacts["bioimage-io/happy-shark-0"].files.clear()
    assert publish(listed, *TO, "--repo", "bioimage-io/happy-shark-0").code == 0
    assert collection.complete(package_of(listed)) == ["bioimage-io/happy-shark-0"]
    absent = publish(listed, *TO, "--repo", "bioimage-io/sad-shark")
    assert absent.code == 1
    assert "check the id of the draft" in absent.errors[0]


def test_a_file_that_arrives_damaged_is_not_sent_to_review(collection, listed, publish):
    collection.altered["weights.pt"] = b"other weights"
    result = publish(listed, *TO)
    assert result.code == 1
    assert "weights.pt differs from the run" in result.errors[0]
    assert "--repo bioimage-io/happy-shark-0" in result.errors[0]
    assert "status" not in collection.artifacts["bioimage-io/happy-shark-0"].manifest


def test_every_broken_rule_is_listed_with_its_recipe_key_before_anything_is_sent(collection, run, publish):
    result = publish(run, *TO)
    assert result.code == 2
    for rule, key in (("license", "card.license"), ("authors", "card.authors"), ("cite", "data.citation")):
        assert any(rule in line and key in line for line in result.errors), (rule, result.errors)
    assert collection.faults.seen == []


def test_a_dry_run_checks_the_rules_without_a_token(listed, run, publish, monkeypatch):
    monkeypatch.delenv("BIOIMAGEIO_HYPHA_UPLOAD_TOKEN", raising=False)
    assert publish(run, *TO, "--dry-run").code == 2
    result = publish(listed, *TO, "--dry-run")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[:-2]] == sorted(package_of(listed))
    assert "BIOIMAGEIO_HYPHA_UPLOAD_TOKEN" in publish(listed, *TO).err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tag", "1.0.0"), "--tag is not supported"),
        (("--private", "--pull-request"), "--private, --pull-request is not supported"),
        (("--repo", "a/b/c"), "--repo a/b/c: is not the id of a draft"),
    ],
)
def test_options_that_the_collection_lacks_are_refused(collection, listed, publish, options, message):
    result = publish(listed, *TO, *options)
    assert (result.code, len(result.errors)) == (2, 1)
    assert message in result.errors[0]
    assert collection.faults.seen == []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "unlisted")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"name": "U!"}, "card.title"),
        ({"description": ""}, "card.description"),
        ({"license": None}, "card.license"),
        ({"tags": []}, "card.tags"),
        ({"cite": []}, "data.citation"),
        ({"authors": []}, "card.authors"),
        ({"authors": [{"name": "Jane"}]}, "github_user"),
        ({"documentation": "missing.md"}, "documentation: is missing"),
        ({"documentation": "plain.md"}, "no heading with 'Validation'"),
        ({"documentation": "../outside.md"}, "documentation: is missing"),
        ({"covers": []}, "no cover image"),
        ({"covers": ["absent.png"]}, "absent.png is not in the package"),
        ({"covers": ["large.png"]}, "at most 500,000 bytes"),
        ({"id": "happy-shark"}, "id: must not be set"),
    ],
)
def test_each_rule_finds_what_breaks_it(tmp_path: Path, change: dict, rule: str) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    (tmp_path / "outside.md").write_text("# Validation\n")
    (folder / "README.md").write_text("# Model\n\n## Validation of the model\n")
    (folder / "plain.md").write_text("# Model\n\nvalidation was not done\n")
    (folder / "cover.png").write_bytes(b"0")
    (folder / "large.png").write_bytes(bytes(500_001))
    good = {
        "name": "U-Net for nuclei",
        "description": "Finds nuclei.",
        "license": "MIT",
        "tags": ["nuclei"],
        "cite": [{"text": "Doe", "doi": "10.1/1"}],
        "authors": [{"name": "Jane", "github_user": "jane"}],
        "documentation": {"source": "README.md"},
        "covers": [{"source": "cover.png"}],
    }
    assert broken_rules(good, folder) == []
    assert any(rule in line for line in broken_rules(good | change, folder))


@pytest.mark.slow
def test_the_server_of_the_tests_takes_uploads_of_bioimageio_spec(collection, listed, tmp_path):
    code = (  # with checks, the accounts of the authors are looked up at GitHub
        "import sys; from bioimageio.spec import load_description, upload; "
        "upload(load_description(sys.argv[1], perform_io_checks=False))"
    )
    package = next((listed / "bioimageio").glob("*.zip"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(package)],
        env=os.environ,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (draft,) = collection.artifacts.values()
    assert draft.manifest["status"] == "request-review"
    assert draft.files["weights.pt"] == package_of(listed)["weights.pt"]
