"""Publish a run: audit it, collect its files, and upload them to one destination."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cards.audit.claims import Claim
from cards.audit.registry import FAMILIES
from cards.audit.run import audit
from cards.audit.subject import open_subject
from cards.errors import ModelError
from cards.publish.base import Options, Publication, PublishError, Report
from cards.publish.destinations import find_destination
from cards.record import RunRecord


def publish(run: Path, to: str, options: Options, report: Report, *, dry_run: bool = False) -> list[str]:
    """Publish a run, unless a claim of its audit is broken.

    Args:
        run: the run folder.
        to: name of a destination, or a folder; see `cards.publish.destinations`.
        options: options of the command.
        report: called with each step, and with each claim that cannot be decided.
        dry_run: list the files instead of uploading them; neither a token nor a network is needed.

    Returns:
        Lines to show: the files of a dry run, or what is there now and how to load it.

    Raises:
        InputError: if the run, the options or the user are refused.
        PublishError: if a claim is broken, or the publication is not complete.
    """
    destination = find_destination(to)
    destination.check(options)
    record = _audited(run, report)
    with tempfile.TemporaryDirectory() as scratch:
        items = tuple(destination.items(run, record, Path(scratch)))
        publication = Publication(run, record, items, options)
        if dry_run:
            return [*_listing(publication), f"would go to {destination.where(publication)}"]
        return [destination.upload(publication, report)]


def _audited(run: Path, report: Report) -> RunRecord:
    """The record of a run without broken claims."""
    if not run.is_dir():
        raise ModelError(f"{run}: no such run folder")
    with open_subject(run) as subject:
        if subject.kind != "run":
            raise ModelError(f"{run}: not a run folder; give the folder that `finetune run` wrote")
        claims = audit(subject)
        record = subject.record
    with open_subject(run / "huggingface") as published:  # it has a signature of its own
        claims += [claim for claim in FAMILIES["signature"](published) if claim.verdict == "broken"]
    if broken := [claim for claim in claims if claim.verdict == "broken"]:
        raise PublishError(_refusal(run, broken))
    for claim in claims:
        if claim.verdict == "cannot tell":
            report(f"cannot tell: {claim.family}: {claim.statement} {claim.evidence}")
    if record is None:
        RunRecord.read(run)  # says what is wrong with it
        raise ModelError(f"{run}: has no run record, without which a model is not published")
    return record


def _refusal(run: Path, broken: Sequence[Claim]) -> str:
    """One line with the first broken claim, and one with each of the others."""
    lines = [f"{claim.family}: {claim.statement} {claim.evidence}" for claim in broken]
    count = "1 claim is" if len(lines) == 1 else f"{len(lines)} claims are"
    return "\n".join((f"{run}: not published, because {count} broken: {lines[0]}", *lines[1:]))


def _listing(publication: Publication) -> list[str]:
    width = max(len(item.path) for item in publication.items)
    lines = [f"{item.path:{width}}  {item.size:>13,} bytes" for item in publication.items]
    return [*lines, f"{len(publication.items)} files, {publication.size:,} bytes"]
