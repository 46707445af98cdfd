"""Destination Hugging Face: one repository from which finetune, BioImage.IO and transformers load the model.

All files go into one commit, which is read back and compared before the version is attached to it: a tag
X.Y.Z for `finetune.load("ID@X.Y.Z")`, and a branch vX.Y.Z, which is where
`bioimageio.spec.load_description("huggingface/ID/X.Y.Z")` looks. A step that is already done is left out, so
that a second call completes an interrupted publication.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub.constants import ENDPOINT

from cards.errors import InputError
from cards.publish.base import Item, Options, Publication, PublishError, Report
from cards.publish.contents import hub_items
from cards.publish.hub_changes import matches
from cards.publish.hub_client import Repository, State
from cards.publish.hub_commit import AGAIN, attach_version, commit_files, read_back
from cards.publish.hub_errors import failure
from cards.publish.hub_proposal import propose
from cards.publish.hub_session import client, read
from cards.publish.hub_usage import loading
from cards.publish.redaction import hidden
from cards.publish.versions import FIRST, following, newest, parse_version
from cards.record import RunRecord

REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def check(options: Options) -> None:
    """Check id and version; see `Destination.check`.

    Args:
        options: options of the command.

    Raises:
        InputError: naming the option.
    """
    if options.repo and not REPO_ID.fullmatch(options.repo):
        raise InputError(f"--repo {options.repo}: an id on Hugging Face has the form user/name")
    if options.repo:
        _check_id(options.repo)
    if options.tag:
        parse_version(options.tag)
    if options.pull_request and options.repo is None:
        raise InputError("--pull-request: give the repository with --repo user/name")
    if options.pull_request and (options.tag or options.private):
        raise InputError("--pull-request: leave out --tag and --private, which its repository decides")


def _check_id(repo: str) -> None:
    """Apply the rules of the Hub, before anything is uploaded."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise InputError(
            f"--repo {repo}: Hugging Face does not allow this name: at most 96 letters, digits, '-', '_' and "
            "'.', without '--', '..' or .git, and no '-' or '.' at its end"
        ) from None


def items(run: Path, record: RunRecord, scratch: Path) -> Sequence[Item]:
    """List the files; see `Destination.items`.

    Args:
        run: the run folder.
        record: its record.
        scratch: an empty folder for unpacked files.

    Returns:
        The files.
    """
    return hub_items(run, record, scratch)


def where(publication: Publication) -> str:
    """Name the repository; see `Destination.where`.

    Args:
        publication: the model.

    Returns:
        Address, version and visibility.
    """
    options = publication.options
    address = f"{ENDPOINT}/{options.repo or f'YOUR-NAME/{_name(publication.record)}'}"
    if options.pull_request:
        return f"{address}, in one commit of a pull request"
    version = parse_version(options.tag) if options.tag else f"{FIRST} if it is the first"
    return f"{address}{' (private)' if options.private else ''}, in one commit, version {version}"


def upload(publication: Publication, report: Report) -> str:
    """Publish the files, read them back and compare them; see `Destination.upload`.

    Args:
        publication: the model.
        report: called with each step.

    Returns:
        What is there and how to load it.
    """
    with client() as api, hidden(str(api.token)):
        try:
            user = read(api.whoami)["name"]
        except Exception as error:
            wanted = publication.options.repo or _name(publication.record)
            raise failure(wanted, "not published", error, AGAIN) from None
        repository = Repository(api, publication.options.repo or f"{user}/{_name(publication.record)}")
        state = _open(repository, publication.options, report)
        if publication.options.pull_request:
            return propose(repository, state, publication, report)
        version, commit = _version(repository, state, publication)
        if commit is None:
            commit = commit_files(repository, state, publication, version, report)
        read_back(repository, commit, publication, f"published in commit {commit[:12]}", report)
        attach_version(repository, version, commit)
        count = len(publication.items)
        there = f"{repository.address}, version {version}, commit {commit[:12]}: {count} files, read back"
        return f"{there} and equal; load with {loading(publication, repository.id, version)}"


def _name(record: RunRecord) -> str:
    """Name of a repository from the name of a run."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", record.name).strip("-.") or "model"


def _open(repository: Repository, options: Options, report: Report) -> State:
    """State of the repository, which is created if it does not exist."""
    try:
        state = repository.state()
        if state is None and options.pull_request:
            raise InputError(f"{repository.id}: no such repository to open a pull request in")
        if state is None:
            report(f"creating {repository.id}")
            repository.create(options.private)
            state = repository.state()
    except (InputError, PublishError):
        raise
    except Exception as error:
        raise failure(repository.id, "not published", error, AGAIN) from None
    if state is None:
        raise InputError(
            f"{repository.id}: cannot be read after it was created: check the token's permissions"
        )
    if options.private and not state.private:
        raise InputError(
            f"{repository.id}: exists and is public; make it private in its settings, or leave out --private"
        )
    return state


def _version(repository: Repository, state: State, publication: Publication) -> tuple[str, str | None]:
    """The version to publish, and its commit if it is already there with the same files."""
    latest = newest(state.tags)
    tag = publication.options.tag or latest or FIRST
    version = parse_version(tag)
    labels = (state.tags.get(version), state.tags.get(f"v{version}"), state.branches.get(f"v{version}"))
    commits = {commit for commit in labels if commit}
    if not commits:
        return version, None
    try:
        same = [commit for commit in commits if matches(repository.tree(commit), publication.items)]
    except Exception as error:
        raise failure(repository.id, "not published", error, AGAIN) from None
    if len(commits) == 1 and same:
        return version, same[0]
    suggested = following(latest or version)
    raise InputError(f"{repository.id}: has version {version} with other files; give --tag {suggested}")
