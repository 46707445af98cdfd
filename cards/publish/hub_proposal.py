"""Propose a model in a pull request of a repository on Hugging Face."""

from __future__ import annotations

import re

from cards.errors import InputError
from cards.publish.base import Publication, PublishError, Report
from cards.publish.hub_changes import matches, missing
from cards.publish.hub_client import Repository, State
from cards.publish.hub_commit import AGAIN, COMPLETE, UNKNOWN, read_back, state_after
from cards.publish.hub_errors import failure

PROPOSALS = 20  # newest pull requests that are searched for the same files


def propose(repository: Repository, state: State, publication: Publication, report: Report) -> str:
    """Commit to a new pull request, unless the same files are already there or proposed.

    Args:
        repository: the repository.
        state: its state.
        publication: the model.
        report: called with each step.

    Returns:
        Where the pull request is, and how to load the model from it.

    Raises:
        InputError: if there is nothing to propose, or the user is refused.
        PublishError: if nothing was proposed, or it is not known whether it was.
    """
    commit = _proposed(repository, state, publication)
    if commit is None:
        try:
            tree = repository.tree(state.head)
            additions = missing(tree, publication.items)
            if not additions:
                raise InputError(f"{repository.id}: already has these files; there is nothing to propose")
            report(f"uploading {len(additions)} files, {sum(item.size for item in additions):,} bytes")
            message = f"{publication.record.name}, published with finetune"
            commit, _ = repository.commit(additions, (), state.head, message, pull_request=True)
        except InputError:
            raise
        except Exception as error:
            commit = _proposed(repository, state_after(repository, UNKNOWN, error), publication)
            if commit is None:
                raise failure(repository.id, "not published, nothing was proposed", error, AGAIN) from None
    read_back(repository, commit, publication, "proposed in a pull request", report)
    after = state_after(repository, "proposed in a pull request")
    reference = next((name for name, at in after.pull_requests.items() if at == commit), None)
    if reference is None:
        raise PublishError(f"{repository.id}: the pull request has changed in the meantime; {COMPLETE}")
    number = reference.rpartition("/")[2]
    there = f"{repository.address}/discussions/{number}: pull request with {len(publication.items)} files"
    return f'{there}, read back and equal; load with finetune.load("{repository.id}@{reference}")'


def _proposed(repository: Repository, state: State, publication: Publication) -> str | None:
    """Commit of a pull request that has the files already."""
    numbered = sorted(
        state.pull_requests.items(), key=lambda pull: int(re.sub(r"\D", "", pull[0]) or 0), reverse=True
    )
    try:
        for _, commit in numbered[:PROPOSALS]:
            if matches(repository.tree(commit), publication.items):
                return commit
    except Exception as error:
        raise failure(repository.id, UNKNOWN, error, AGAIN) from None
    return None
