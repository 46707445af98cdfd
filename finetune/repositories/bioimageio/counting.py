"""Index of the BioImage.IO Model Zoo: its models, and their number."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import urllib.request

from cards.errors import DownloadError
from finetune.repositories import counts
from finetune.repositories.base import ModelInfo
from finetune.repositories.bioimageio.manifest import describe_manifest
from finetune.repositories.counts import Count, Row

# Children of the collection "bioimage.io", as the website https://bioimage.io requests them; the same server
# as in the setting collection_http_pattern of bioimageio.spec 0.5.12.
COLLECTION = "https://hypha.aicell.io/bioimage-io/artifacts/bioimage.io/children"
PAGE = 100  # entries per request
TIMEOUT = 4  # seconds


def count_models() -> Row:
    """Count the models of the zoo by their tags; the zoo states no task.

    Returns:
        Number of models by kind (the keys of `finetune.repositories.counts.KINDS`).

    Raises:
        DownloadError: if the server does not answer, or its answer is not a list of models.
    """
    manifests, more = _manifests()
    tags = [_tags(manifest) for manifest in manifests]
    return {kind: Count(sum(word in text for text in tags), more) for kind, (_, word) in counts.KINDS.items()}


def fetch_models() -> list[ModelInfo]:
    """List the models of the zoo.

    Returns:
        Descriptions; what the zoo's index does not state is None.

    Raises:
        DownloadError: if the server does not answer, or its answer is not a list of models.
    """
    manifests, _ = _manifests()
    return [info for manifest in manifests if (info := describe_manifest(manifest)) is not None]


def _manifests() -> tuple[list[dict], bool]:
    """Descriptions of all models in the index, and whether there are more than it returned."""
    found: list[dict] = []
    total = counts.MAX_COUNT
    try:
        while len(found) < min(total, counts.MAX_COUNT):
            page = _children(len(found))
            total = page["total"]
            if not page["items"]:
                break
            found += [{"alias": item.get("alias")} | item["manifest"] for item in page["items"]]
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
        raise DownloadError(f"BioImage.IO cannot be reached ({type(error).__name__})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError("BioImage.IO did not answer with a list of models") from error
    return found, len(found) < total


def _children(offset: int) -> dict:
    query = {"pagination": "true", "offset": offset, "limit": PAGE, "filters": '{"type": "model"}'}
    with urllib.request.urlopen(f"{COLLECTION}?{urllib.parse.urlencode(query)}", timeout=TIMEOUT) as answer:
        return json.load(answer)


def _tags(manifest: dict) -> str:
    tags = [tag for tag in manifest.get("tags") or [] if isinstance(tag, str)]
    return " ".join(tags).lower().replace("-", " ")
