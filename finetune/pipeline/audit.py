"""Audit a model: open it, download it if necessary, and pass the functions that read images or run it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cards.audit.claims import BaseFacts, Claim, DataFacts, Processing, Tools
from cards.audit.run import audit as check_claims
from cards.audit.subject import open_subject
from cards.errors import DataError, InputError
from cards.paths import expand_user
from cards.record import RunRecord
from finetune.utils.scratch import ScratchFolder
from finetune.utils.unfinished import refuse_unfinished

if TYPE_CHECKING:
    from cards.provenance.trust import TrustRoot


def audit(
    source: Path | str,
    *,
    data: Path | str | None = None,
    recompute: bool = False,
    trust: TrustRoot | None = None,
) -> list[Claim]:
    """Compare every claim of a model card with the evidence.

    Args:
        source: a run folder, a folder as published on Hugging Face, a BioImage.IO package, or, as a string,
            "user/name" or "user/name@revision" on the Hugging Face Hub.
        data: the folder with the images of the record, to compare their pixels; None to leave that out.
        recompute: run the model again and compare accuracy, weights and test outputs.
        trust: whose signature is accepted; None to compare the signed hashes only.

    Returns:
        The claims, by family.

    Raises:
        InputError: if there is no model, it cannot be opened, or a key or certificate cannot be read.
    """
    folder = None if data is None else expand_user(data)
    if folder is not None and not folder.is_dir():
        raise DataError(f"{data}: no such folder of images")
    if trust is not None:
        trust.check_files()
    tools = _tools(folder, recompute)
    with (
        _located(source) as path,
        open_subject(
            path, name=str(source), data=folder, tools=tools, trust=trust, scratch=ScratchFolder
        ) as subject,
    ):
        return check_claims(subject)


@contextmanager
def _located(source: Path | str) -> Iterator[Path]:
    """Path of the model; a model on the Hub is downloaded.

    In the cache of the Hub, files are links to a common store. The audit sees a folder of real files, because
    it accepts no link out of a model.
    """
    path = expand_user(source)
    if path.exists() or not isinstance(source, str):
        yield path
        return
    from finetune.downloads.hub import HUB_ID, fetch_all

    refuse_unfinished(path)
    hub_id = HUB_ID.fullmatch(source)
    if hub_id is None:
        yield path
        return
    fetched = fetch_all(hub_id["repo"], revision=hub_id["revision"])
    with ScratchFolder() as scratch:
        folder = Path(scratch) / "model"
        shutil.copytree(fetched.folder, folder)
        yield folder


def _tools(data: Path | None, recompute: bool) -> Tools:
    """Functions that the options ask for; heavy imports only for those."""
    tools = Tools(data_facts=_data_facts, base_facts=_base_facts, processing=_processing)
    if data is not None:
        from finetune.pipeline.audit_data import read_data, relate

        tools = replace(tools, read_data=read_data, relate=relate)
    if recompute:
        from finetune.pipeline.recompute import compare_weights
        from finetune.pipeline.recompute import recompute as run_again

        tools = replace(
            tools, recompute=run_again, compare_weights=compare_weights, validate_package=_validate_package
        )
    return tools


def _data_facts(record: RunRecord) -> DataFacts | None:
    """What is published about a named data set, read only if the record names one."""
    if record.recipe.get("data", {}).get("name") is None:
        return None
    from finetune.pipeline.audit_facts import data_facts

    return data_facts(record)


def _base_facts(record: RunRecord) -> BaseFacts | None:
    """What is known about a base model, looked up only if there is one."""
    if record.model.base.weights == "random":
        return None
    from finetune.pipeline.audit_base import base_facts

    return base_facts(record)


def _processing(record: RunRecord) -> Processing:
    """How a package processes images and maps; see `Tools.processing`."""
    from finetune.data.normalization import build_normalize
    from finetune.export.architecture import known_sources
    from finetune.targets.registry import build_target

    before = behind = None
    stated, target = record.model.normalize, record.model.target
    with suppress(InputError):  # another package may have registered them, which is not installed here
        before = build_normalize({"name": stated.name, **stated.options}).bioimageio_preprocessing()
    with suppress(InputError):
        behind = build_target(target.name, target.options).bioimageio_postprocessing()
    return Processing(before, behind, known_sources(record))


def _validate_package(path: Path) -> list[str]:
    """The problem that bioimageio.spec finds in a package, without network; see `Tools.validate_package`."""
    from finetune.repositories.bioimageio.collection import open_package

    try:
        open_package(path, check_files=True)
    except InputError as error:
        return [str(error).removeprefix(f"{path}: ")]
    return []
