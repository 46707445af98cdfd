"""Download of Cellpose weights: from cellpose.org for the classic models, from the Hub for Cellpose-SAM."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cards.errors import DownloadError, InputError, ModelError
from finetune.downloads import hub
from finetune.repositories.base import refuse_revision
from finetune.repositories.cellpose.models import MODELS
from finetune.repositories.missing_weights import FILE_ADVICE

SERVER = "https://www.cellpose.org/models"  # cellpose.models._MODEL_URL in cellpose 3.1.1.3
HUB_ID = "mouseland/cellpose-sam"  # cellpose.models._MODEL_URL in cellpose 4
HUB_FILE = "cpsam"


@dataclass(frozen=True)
class Fetched:
    """A local weights file.

    Attributes:
        path: path of the file.
        revision: commit on the Hub, if the file is from there.
        hub_id: id of the Hub repository, if the file is from there.
    """

    path: Path
    revision: str | None = None
    hub_id: str | None = None


def fetch(name: str, revision: str | None) -> Fetched:
    """Locate the weights of a model in the cache of cellpose or finetune; download them if necessary.

    Args:
        name: model name.
        revision: revision on the Hub; only for Cellpose-SAM.

    Returns:
        The local file.

    Raises:
        InputError: if the download fails, or the weights have no revisions.
    """
    if name == HUB_FILE:
        return _from_hub(name, revision)
    refuse_revision(name, revision)
    file = MODELS[name].file
    local_models = os.environ.get("CELLPOSE_LOCAL_MODELS_PATH") or Path.home() / ".cellpose" / "models"
    cached = Path(local_models) / file
    return Fetched(cached if cached.is_file() else _from_server(name, file))


def _from_server(name: str, file: str) -> Path:
    from finetune.downloads.archive import CACHE_HINT, cache_folder
    from finetune.downloads.resumable import failure, retrieve
    from finetune.utils.atomic import disk_errors, is_disk_full

    path = cache_folder() / "weights" / "cellpose" / file / file
    if path.is_file():
        return path
    url = f"{SERVER}/{file}"
    with disk_errors(path, CACHE_HINT, only_full=True):
        try:
            # The authors publish no hashes; the record states the hash of the downloaded file.
            return retrieve(url, path)
        except OSError as error:  # requests' errors are OSErrors
            if is_disk_full(error):
                raise
            raise ModelError(
                f"{name}: its weights cannot be downloaded from {url} ({failure(error)}): {FILE_ADVICE}"
            ) from error


def _from_hub(name: str, revision: str | None) -> Fetched:
    try:
        fetched = hub.fetch(HUB_ID, [HUB_FILE], revision=revision, hint=FILE_ADVICE)
    except InputError as error:
        raise DownloadError(f"{name}: its weights cannot be downloaded from {error}") from error.__cause__
    return Fetched(fetched.folder / HUB_FILE, revision=fetched.revision, hub_id=HUB_ID)
