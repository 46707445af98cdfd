"""Destination BioImage.IO: a draft in the collection, with a request for review.

Four calls of the collection's server (artifact-manager of Hypha): create a draft, ask for an upload address
per file, send the file there, and edit the draft to request a review. `bioimageio.spec._upload` 0.5.12 makes
the same calls, but takes a failed upload of a file for a success. Here every file is read back before the
review is requested.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cards.audit.description import read_description
from cards.audit.packages import PackageFiles
from cards.errors import InputError, ModelError
from cards.publish.artifact_manager import Draft, Server
from cards.publish.base import Item, Options, Publication, PublishError, Report
from cards.publish.bioimageio_rules import broken_rules
from cards.publish.contents import DESCRIPTION, package_items
from cards.publish.redaction import hidden
from cards.record import RunRecord

ADDRESS = "https://hypha.aicell.io/public/services/artifact-manager/create"  # default of bioimageio.spec
ADDRESS_VARIABLE = "BIOIMAGEIO_HYPHA_UPLOAD"  # as in bioimageio.spec
TOKEN_VARIABLE = "BIOIMAGEIO_HYPHA_UPLOAD_TOKEN"
TOKEN_PAGE = "https://bioimage.io/#/api?tab=hypha-rpc"
ARTIFACT = re.compile(r"[\w-]+/[\w-]+|[\w-]+")


def check(options: Options) -> None:
    """Refuse options that the collection does not have; see `Destination.check`.

    Args:
        options: options of the command.

    Raises:
        InputError: naming the option.
    """
    if given := ", ".join(name for name in options.given() if name != "--repo"):
        raise InputError(
            f"--to bioimageio: {given} is not supported: the collection keeps a draft until it has been "
            "reviewed, and assigns the version"
        )
    if options.repo and not ARTIFACT.fullmatch(options.repo):
        raise InputError(f"--repo {options.repo}: is not the id of a draft, such as bioimage-io/happy-shark")


def items(run: Path, record: RunRecord, scratch: Path) -> Sequence[Item]:
    """List the files of the package, if it meets the rules; see `Destination.items`.

    Args:
        run: the run folder.
        record: its record.
        scratch: an empty folder for unpacked files.

    Returns:
        The files.

    Raises:
        ModelError: with one line per broken rule.
    """
    found = package_items(run, scratch)
    description = _description(found)
    if rules := broken_rules(description, _folder(found)):
        count = "1 rule" if len(rules) == 1 else f"{len(rules)} rules"
        raise ModelError(
            "\n".join(
                (
                    f"{run}: not published, because the package breaks {count} of BioImage.IO: {rules[0]}",
                    *rules[1:],
                )
            )
        )
    return found


def where(publication: Publication) -> str:
    """Name the collection; see `Destination.where`.

    Args:
        publication: the model.

    Returns:
        The draft.
    """
    draft = publication.options.repo or "a new draft"
    return f"the BioImage.IO collection as {draft}, with a request for review"


def upload(publication: Publication, report: Report) -> str:
    """Upload the files of a draft, read them back, and request a review; see `Destination.upload`.

    Args:
        publication: the model.
        report: called with each step.

    Returns:
        What is there and how to load it.

    Raises:
        InputError: if there is no token, or the server refuses the user.
        PublishError: if the draft is not complete.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise InputError(
            f"publishing on BioImage.IO needs a token: set {TOKEN_VARIABLE} to one from {TOKEN_PAGE}; "
            "with it you agree to the collection's terms of service, https://bioimage.io/#/toc"
        )
    description = _description(publication.items)
    address = os.environ.get(ADDRESS_VARIABLE) or ADDRESS
    with hidden(token), Server(address.removesuffix("/create"), token) as server:
        if publication.options.repo:
            draft = Draft(publication.options.repo)
        else:
            report("creating a draft")
            draft = server.create(description)
        for item in publication.items:
            report(f"uploading {item.path}, {item.size:,} bytes")
            server.put(draft, item)
        report(f"reading back {len(publication.items)} files")
        for item in publication.items:
            found = server.sha256(draft, item)
            if found != item.sha256:
                raise PublishError(
                    f"draft {draft.id}: {item.path} differs from the run (SHA-256 {found[:12]}…, expected "
                    f"{item.sha256[:12]}…); no review was requested; continue with --repo {draft.id}"
                )
        server.request_review(draft, description)
    count = len(publication.items)
    return (
        f"draft {draft.id}: {count} files, read back and equal, review requested; load with "
        f'bioimageio.spec.load_description("{draft.id.rpartition("/")[2]}/draft")'
    )


def _folder(found: Sequence[Item]) -> Path:
    return next(item.source.parent for item in found if item.path == DESCRIPTION)


def _description(found: Sequence[Item]) -> dict[str, Any]:
    if not any(item.path == DESCRIPTION for item in found):
        raise ModelError(f"the package has no {DESCRIPTION}; export it again")
    package = PackageFiles("", _folder(found), tuple(item.path for item in found))
    return dict(read_description(package))
