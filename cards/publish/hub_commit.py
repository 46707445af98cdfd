"""Commit a publication, read it back, and attach its version.

A step whose answer was lost is settled by reading the repository: the request that commits is never repeated.
"""

from __future__ import annotations

from cards.errors import InputError
from cards.publish.base import Publication, PublishError, Report
from cards.publish.hub_changes import deletions, matches, missing
from cards.publish.hub_client import Repository, State
from cards.publish.hub_errors import failure
from cards.publish.versions import newest

AGAIN = "run the same command again"
COMPLETE = "run the same command again to complete it"
UNKNOWN = "not known whether it was published"


def commit_files(
    repository: Repository, state: State, publication: Publication, version: str, report: Report
) -> str:
    """Commit the files that are new or different.

    Args:
        repository: the repository.
        state: its state, on whose newest commit the new one is based.
        publication: the model.
        version: for the title of the commit.
        report: called with each step.

    Returns:
        The commit that has all files.

    Raises:
        InputError: if the repository has files that finetune did not publish, or the user is refused.
        PublishError: if nothing was committed, or it is not known whether it was.
    """
    try:
        tree, latest = repository.tree(state.head), newest(state.tags)
        tagged = repository.tree(state.tags[latest]) if latest else None

        def read_file(path: str) -> bytes:
            return repository.content(path, state.head)

        additions = missing(tree, publication.items)
        stale = deletions(repository.id, tree, tagged, publication.items, read_file)
        if not additions and not stale:
            return state.head
    except InputError:
        raise
    except Exception as error:
        raise failure(repository.id, "not published", error, AGAIN) from None
    report(f"uploading {len(additions)} files, {sum(item.size for item in additions):,} bytes")
    try:
        commit, _ = repository.commit(
            additions, stale, state.head, f"{publication.record.name} {version}, published with finetune"
        )
        return commit
    except Exception as error:
        after = state_after(repository, UNKNOWN, error)
        if after.head != state.head and _has(repository, after.head, publication, error):
            report("the answer to the commit was lost, but the commit arrived")
            return after.head
        raise failure(repository.id, "not published, no file was changed", error, AGAIN) from None


def state_after(repository: Repository, known: str, cause: Exception | None = None) -> State:
    """Read the state of the repository after a request that changed it, or may have changed it.

    Args:
        repository: the repository.
        known: what is known of the publication, for the error message.
        cause: why the request failed.

    Returns:
        The state.

    Raises:
        PublishError: if the repository cannot be read.
    """
    try:
        state = repository.state()
    except Exception as error:
        raise failure(repository.id, known, cause or error, COMPLETE) from None
    if state is None:
        raise PublishError(f"{repository.id}: {known}: the repository cannot be read; {COMPLETE}")
    return state


def _has(repository: Repository, commit: str, publication: Publication, cause: Exception) -> bool:
    try:
        return matches(repository.tree(commit), publication.items)
    except Exception:
        raise failure(repository.id, UNKNOWN, cause, COMPLETE) from None


def read_back(
    repository: Repository, commit: str, publication: Publication, state: str, report: Report
) -> None:
    """Download every file again and compare its SHA-256 with that of the run.

    Args:
        repository: the repository.
        commit: with the files.
        publication: the model.
        state: what is there, for the error message.
        report: called with each step.

    Raises:
        PublishError: naming the first file that differs or cannot be read.
    """
    report(f"reading back {len(publication.items)} files")
    for item in publication.items:
        try:
            found = repository.sha256(item.path, commit)
        except Exception as error:
            state = f"{state}, but {item.path} could not be read back"
            raise failure(repository.id, state, error, COMPLETE) from None
        if found != item.sha256:
            raise PublishError(
                f"{repository.id}: {state}, but {item.path} differs from the run (SHA-256 {found[:12]}…, "
                f"expected {item.sha256[:12]}…); no version was attached; {AGAIN}"
            )


def attach_version(repository: Repository, version: str, commit: str) -> None:
    """Create the tag and the branch of a version where they are missing, and check both.

    Args:
        repository: the repository.
        version: such as "1.0.0", for the tag 1.0.0 and the branch v1.0.0.
        commit: to which both point.

    Raises:
        PublishError: if one is missing.
    """
    published = f"published in commit {commit[:12]}"
    state = state_after(repository, f"{published}, but perhaps without version {version}")
    problem: Exception | None = None
    try:
        if version not in state.tags:
            repository.tag(version, commit)
        if f"v{version}" not in state.branches:
            repository.branch(f"v{version}", commit)
    except Exception as error:
        problem = error
    state = state_after(repository, f"{published}, but perhaps without version {version}", problem)
    absent = [f"tag {version}"] if state.tags.get(version) != commit else []
    absent += [f"branch v{version}"] if state.branches.get(f"v{version}") != commit else []
    if absent:
        done = f"{published}, but without {' and '.join(absent)}"
        if problem is None:
            raise PublishError(f"{repository.id}: {done}; {COMPLETE}")
        raise failure(repository.id, done, problem, COMPLETE) from None
