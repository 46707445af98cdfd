"""The base model of an audited model, looked up in the catalog, the cache and the Hub."""

from __future__ import annotations

from pathlib import Path

from cards.audit.claims import BaseFacts
from cards.errors import InputError
from cards.record import Origin, RunRecord
from finetune.repositories.registry import describe
from finetune.utils.offline import offline_reason

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".h5", "")


def base_facts(record: RunRecord) -> BaseFacts | None:
    """Look up license and hash of a base model; see `cards.audit.claims.Tools`.

    Args:
        record: of the run.

    Returns:
        What is known; None if that is nothing.
    """
    base, section = record.model.base, record.recipe.get("model", {})
    if base.weights == "random" or (isinstance(section, dict) and section.get("checkpoint")):
        return None  # of a checkpoint, a record keeps no place
    found = cached_sha256(base) or hub_sha256(base)
    license = _catalog_license(base)
    if found is None and license is None:
        return None
    sources = [source for source, known in (("the catalog", license), (found and found[1], found)) if known]
    return BaseFacts(" and ".join(map(str, sources)), found[0] if found else None, license)


def _catalog_license(base: Origin) -> str | None:
    try:
        return describe(base.repository, base.id).license
    except InputError:
        return None


def cached_sha256(base: Origin) -> tuple[str, str] | None:
    """Hash of the weights in the cache of the Hub, which names large files by their SHA-256.

    Args:
        base: the base model.

    Returns:
        The recorded hash if a file has it, otherwise that of the only file of weights; and the place.
    """
    from huggingface_hub import constants

    if base.hub_id is None or base.revision is None:
        return None
    snapshot = Path(constants.HF_HUB_CACHE) / f"models--{base.hub_id.replace('/', '--')}" / "snapshots"
    folder = snapshot / base.revision
    if not folder.is_dir():
        return None
    names = {path.resolve().name for path in folder.iterdir() if path.suffix in SUFFIXES}
    return _choose({name for name in names if len(name) == 64}, base, "the cache of the Hub")


def hub_sha256(base: Origin) -> tuple[str, str] | None:
    """Hash of the weights that the Hub lists for the recorded revision.

    Args:
        base: the base model.

    Returns:
        The recorded hash if a file has it, otherwise that of the only file of weights; and the place. None if
        the Hub is not reached.
    """
    if base.hub_id is None or base.revision is None:
        return None
    if offline_reason():
        return None
    from huggingface_hub import HfApi

    from finetune.downloads.hub import QUICK_TIMEOUT
    from finetune.downloads.hub_errors import without_log

    try:
        with without_log():
            info = HfApi().model_info(
                base.hub_id, revision=base.revision, files_metadata=True, timeout=QUICK_TIMEOUT
            )
    except Exception:  # without an answer nothing is known
        return None
    files = [file for file in info.siblings or [] if file.lfs and Path(file.rfilename).suffix in SUFFIXES]
    return _choose({file.lfs.sha256 for file in files if file.lfs}, base, "the Hub")


def _choose(hashes: set[str], base: Origin, place: str) -> tuple[str, str] | None:
    if base.sha256 in hashes:
        return str(base.sha256), place
    return (hashes.pop(), place) if len(hashes) == 1 else None
