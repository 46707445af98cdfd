"""Publishing on Hugging Face: over HTTP, to a Hub on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from finished_run import write_run
from forked_command import run_command

from cards.record import RunRecord

REPO = "someone/discs"
HUGGINGFACE = ("--to", "huggingface", "--repo", REPO)


def expected_files(run: Path) -> set[str]:
    root = run / "huggingface"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_the_card_is_at_the_root_and_the_package_beside_it(publisher, run, publish):
    result = publish(run, "--to", "huggingface")
    assert (result.code, result.errors) == (0, [])
    files = publisher.files(REPO)
    root = {name for name in files if not name.startswith("package/")}
    assert root == expected_files(run)
    assert all(files[name] == (run / "huggingface" / name).read_bytes() for name in root)
    assert "package/bioimageio.yaml" in files and "package/rdf.yaml" not in files
    last = result.out.splitlines()[-1]
    assert f'finetune.load("{REPO}@1.0.0")' in last
    assert f'load_description("huggingface/{REPO}/1.0.0")' in last
    assert f"{len(files)} files, read back and equal" in last


def test_everything_is_in_one_commit_with_a_tag_and_a_branch(publisher, run, publish):
    publish(run, *HUGGINGFACE, "--tag", "v2.0.1")
    (commit,) = publisher.messages
    repository = publisher.repositories[REPO]
    assert repository.tags == {"2.0.1"}
    assert {repository.revisions[name] for name in ("main", "2.0.1", "v2.0.1")} == {commit}


def test_a_second_call_changes_nothing(publisher, run, publish):
    first = publish(run, *HUGGINGFACE)
    before = len(publisher.faults.seen)
    second = publish(run, *HUGGINGFACE)
    assert (second.code, second.out) == (0, first.out)
    assert not [label for label in publisher.faults.seen[before:] if not label.startswith("GET")]


def test_a_file_of_somebody_else_is_refused_even_if_no_file_of_the_run_changed(publisher, run, publish):
    publish(run, *HUGGINGFACE)
    publisher.add(REPO, publisher.files(REPO) | {"notes.txt": b"by hand"})
    result = publish(run, *HUGGINGFACE, "--tag", "1.1.0")
    assert result.code == 2 and "notes.txt" in result.errors[0]
    assert publisher.repositories[REPO].tags == {"1.0.0"}


@pytest.mark.parametrize("name", ["nuclei--v2", "nuclei.git", "nuclei-", "nuclei..x", "n" * 100, "jané"])
def test_a_name_that_the_hub_refuses_is_refused_before_anything_is_sent(publisher, run, publish, name):
    result = publish(run, "--to", "huggingface", "--repo", f"someone/{name}", "--dry-run")
    assert result.code == 2 and result.errors[0].startswith(f"finetune: --repo someone/{name}: ")
    assert publisher.faults.seen == []


def test_a_broken_signature_of_the_published_folder_is_not_published(run, publish, tmp_path):
    (run / "huggingface" / "model.sig").write_text("hi", encoding="utf-8")
    result = publish(run, "--to", str(tmp_path / "copy"))
    assert result.code == 1 and "broken: signature: " in result.errors[0]
    assert not (tmp_path / "copy").exists()


def test_files_in_parts_and_without_a_repository_id(publisher, run, publish):
    publisher.part_size = 10_000
    assert publish(run, "--to", "huggingface").code == 0
    assert any("store-upload/HASH/2" in label for label in publisher.faults.seen)
    assert publisher.files(REPO)["package/cover.png"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A later run, without a package."""
    return write_run(tmp_path / "other", package=False, created="2026-11-25T00:00:00+00:00")


def test_a_version_is_not_moved_to_other_files(publisher, run, other, publish):
    publish(run, *HUGGINGFACE)
    for tag in ((), ("--tag", "1.0.0")):  # without a tag, it is the newest version, not a new one
        result = publish(other, *HUGGINGFACE, *tag)
        assert result.code == 2
        assert "has version 1.0.0 with other files; give --tag 1.1.0" in result.errors[0]
    assert len(publisher.messages) == 1


def test_a_new_version_replaces_the_files_of_the_earlier_one(publisher, run, other, publish):
    publish(run, *HUGGINGFACE)
    files = publisher.files(REPO)
    assert publish(other, *HUGGINGFACE, "--tag", "1.1.0").code == 0
    assert publisher.files(REPO).keys() == expected_files(other)  # the package is gone
    assert publisher.files(REPO)["record.json"] == (other / "record.json").read_bytes()
    assert publisher.files(REPO, "1.0.0") == files
    assert publish(run, *HUGGINGFACE, "--tag", "1.0.0").code == 0  # an earlier version is still there
    assert publisher.files(REPO).keys() == expected_files(other)


@pytest.mark.parametrize(
    "path", ["README.md", "package/README.md", "package/bioimageio.yaml", "notes/how.md", "model.sig"]
)
def test_nothing_that_somebody_added_or_changed_on_the_hub_is_overwritten(
    publisher, run, other, publish, path
):
    publish(run, *HUGGINGFACE)
    edited = publisher.files(REPO) | {path: b"written by hand"}
    commit = publisher.add(REPO, edited)
    result = publish(other, *HUGGINGFACE, "--tag", "1.1.0")
    assert (result.code, len(result.errors)) == (2, 1)
    if path != "package/bioimageio.yaml":  # whose hashes vouch for the rest of the package
        assert f"contains {path}, which" in result.errors[0]
    assert "which finetune did not publish or which was changed since" in result.errors[0]
    assert publisher.repositories[REPO].revisions["main"] == commit


def test_a_repository_of_somebody_elses_files_is_refused(publisher, run, publish):
    publisher.add(REPO, {"README.md": b"my model", "weights.pt": b"0"})
    result = publish(run, *HUGGINGFACE)
    assert result.code == 2
    assert "contains README.md and 1 more, which finetune did not publish" in result.err
    assert publisher.files(REPO) == {"README.md": b"my model", "weights.pt": b"0"}


def test_a_pull_request_proposes_without_changing_the_main_branch(publisher, run, publish):
    publisher.add(REPO, {"README.md": b"my model", "weights.pt": b"0"})
    result = publish(run, *HUGGINGFACE, "--pull-request")
    assert result.code == 0, result.err
    assert publisher.files(REPO) == {"README.md": b"my model", "weights.pt": b"0"}
    proposed = publisher.files(REPO, "refs/pr/1")
    assert proposed["README.md"] == (run / "huggingface" / "README.md").read_bytes()
    assert proposed["weights.pt"] == b"0"
    assert f'finetune.load("{REPO}@refs/pr/1")' in result.out
    again = publish(run, *HUGGINGFACE, "--pull-request")
    assert (again.code, again.out) == (0, result.out)
    assert "refs/pr/2" not in publisher.repositories[REPO].revisions


def test_a_private_repository_is_created_and_a_public_one_is_not_taken_for_private(publisher, run, publish):
    assert publish(run, *HUGGINGFACE, "--private").code == 0
    assert REPO in publisher.private
    publisher.add("someone/public", {"notes.txt": b""})
    result = publish(run, "--to", "huggingface", "--repo", "someone/public", "--private")
    assert result.code == 2
    assert "exists and is public" in result.err
    assert publisher.files("someone/public") == {"notes.txt": b""}


def test_a_broken_claim_is_not_published(publisher, run, publish):
    (run / "huggingface" / "README.md").write_text("Dice 1.0000")
    result = publish(run, *HUGGINGFACE)
    assert result.code == 1
    assert "not published, because" in result.errors[0] and "README.md" in result.err
    assert publisher.faults.seen == []


def test_a_dry_run_lists_every_file_without_a_token_or_a_network(run, publish, monkeypatch):
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing listens there
    result = publish(run, *HUGGINGFACE, "--dry-run")
    assert result.code == 0
    for name in expected_files(run):
        size = (run / "huggingface" / name).stat().st_size
        assert any(line.split() == [name, f"{size:,}", "bytes"] for line in result.out.splitlines())
    assert result.out.splitlines()[-1].endswith(f"{REPO}, in one commit, version 1.0.0 if it is the first")


def test_a_dry_run_and_the_upload_agree(publisher, run, publish):
    listed = publish(run, *HUGGINGFACE, "--dry-run").out.splitlines()[:-2]
    assert publisher.faults.seen == []
    publish(run, *HUGGINGFACE)
    files = publisher.files(REPO)
    assert [line.split()[0] for line in listed] == sorted(files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--repo", "no-user"), "has the form user/name"),
        (("--repo", REPO, "--tag", "final"), "a version has the form X.Y.Z"),
        (("--pull-request",), "give the repository with --repo"),
        (("--repo", REPO, "--pull-request", "--tag", "1.0.0"), "leave out --tag"),
        (("--repo", "someone/absent", "--pull-request"), "no such repository to open a pull request in"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(publisher, run, publish, arguments, message):
    result = publish(run, "--to", "huggingface", *arguments)
    assert (result.code, len(result.errors)) == (2, 1)
    assert message in result.errors[0]
    assert not any(label.startswith("POST") for label in publisher.faults.seen)


def test_a_missing_token_and_one_without_permission_are_named(publisher, run, publish, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    assert "run `hf auth login`, or set HF_TOKEN" in publish(run, *HUGGINGFACE).err
    monkeypatch.setenv("HF_TOKEN", "hf_onlyreads")
    publisher.readers.add("hf_onlyreads")
    result = publish(run, *HUGGINGFACE)
    assert result.code == 2
    assert "permission to write" in result.errors[0]
    assert publisher.repositories == {}


def test_metadata_that_the_hub_rejects_are_named(publisher, run, publish):
    publisher.invalid_yaml = True
    result = publish(run, *HUGGINGFACE)
    assert result.code == 1
    assert "rejects the metadata of README.md" in result.errors[0]
    assert publisher.messages == {}


def test_a_file_that_arrives_damaged_gets_no_version(publisher, run, publish):
    publisher.altered["model.safetensors"] = b"other weights"
    result = publish(run, *HUGGINGFACE)
    assert result.code == 1
    assert "model.safetensors differs from the run" in result.errors[0]
    assert publisher.repositories[REPO].tags == set()


def test_finetune_and_bioimageio_load_from_the_same_repository(publisher, run, publish, tmp_path):
    publish(run, *HUGGINGFACE)
    pattern = publisher.url + "/{repo_id}/resolve/{branch}/package/bioimageio.yaml"
    places = {
        "BIOIMAGEIO_HUGGINGFACE_HTTP_PATTERN": pattern,
        "BIOIMAGEIO_CACHE_PATH": str(tmp_path / "cache"),
    }
    done = run_command(REPO, cwd=tmp_path, env=os.environ | places, program="published_client")
    assert done.returncode == 0, done.stderr
    architecture, package, digest = json.loads(done.stdout.splitlines()[-1])
    assert (architecture, package) == ("unet", "Discs")
    assert digest == RunRecord.read(run).digest()


def test_a_published_model_audits_as_its_run_does(publisher, run, publish):
    from finetune.pipeline.audit import audit

    publish(run, *HUGGINGFACE)
    claims = [audit(source) for source in (REPO, run)]
    published, original = ({one.family for one in found if one.verdict == "holds"} for found in claims)
    assert published == original >= {"files", "card", "weights", "formats"}
    assert [one for one in claims[0] if one.verdict == "broken"] == []
