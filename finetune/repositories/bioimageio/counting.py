"""Number of models in the BioImage.IO Model Zoo."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import urllib.request

from cards.errors import DownloadError
from finetune.repositories import counts
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
    tags: list[str] = []
    total = counts.MAX_COUNT
    try:
        while len(tags) < min(total, counts.MAX_COUNT):
            page = _children(len(tags))
            total = page["total"]
            if not page["items"]:
                break
            tags += [_tags(item["manifest"]) for item in page["items"]]
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
        raise DownloadError(f"BioImage.IO cannot be reached ({type(error).__name__})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError("BioImage.IO did not answer with a list of models") from error
    more = len(tags) < total
    return {kind: Count(sum(word in text for text in tags), more) for kind, (_, word) in counts.KINDS.items()}


def _children(offset: int) -> dict:
    query = {"pagination": "true", "offset": offset, "limit": PAGE, "filters": '{"type": "model"}'}
    with urllib.request.urlopen(f"{COLLECTION}?{urllib.parse.urlencode(query)}", timeout=TIMEOUT) as answer:
        return json.load(answer)


def _tags(manifest: dict) -> str:
    return " ".join(manifest.get("tags") or []).lower().replace("-", " ")
