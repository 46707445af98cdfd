"""Lists of models on the Hugging Face Hub: how many there are of a task, and the most downloaded of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cards.errors import DownloadError
from finetune.downloads.hub import QUICK_TIMEOUT
from finetune.downloads.hub_errors import safe_cause, status_message

PAGE = 1000  # models per request, the Hub's maximum


def count_models(pipeline_tag: str, max_count: int) -> tuple[int, bool]:
    """Count the models of a task on the Hub.

    The Hub's API returns no total, only pages of at most 1000 models.

    Args:
        pipeline_tag: task as the Hub spells it, such as "image-segmentation".
        max_count: stop counting at this number.

    Returns:
        The count, and whether there are more.

    Raises:
        DownloadError: if the Hub cannot be reached or does not answer as expected.
    """
    count = 0
    # The id and nothing else of each model.
    for page, more in _pages({"pipeline_tag": pipeline_tag, "limit": PAGE, "expand": "pipeline_tag"}):
        count += len(page)
        if count >= max_count:
            return count, more
    return count, False


def most_downloaded(pipeline_tag: str, count: int, expand: Sequence[str]) -> list[dict[str, Any]]:
    """List the most downloaded models of a task.

    Args:
        pipeline_tag: task as the Hub spells it.
        count: number of models, at most 1000.
        expand: fields to return for each model besides its id, such as "safetensors".

    Returns:
        The models as the Hub describes them.

    Raises:
        DownloadError: if the Hub cannot be reached or does not answer as expected.
    """
    parameters = {"pipeline_tag": pipeline_tag, "sort": "downloads", "limit": count, "expand": list(expand)}
    page, _ = next(_pages(parameters))
    return [model for model in page if isinstance(model, dict) and isinstance(model.get("id"), str)]


def _pages(parameters: dict[str, Any]) -> Iterator[tuple[list[Any], bool]]:
    """Pages of the list of models, and whether another one follows."""
    from huggingface_hub import constants, errors
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    # HfApi.list_models would do, but it takes half a minute to give up on an unreachable Hub.
    url: str | None = f"{constants.ENDPOINT}/api/models"
    query: dict[str, Any] | None = parameters
    while url:
        try:
            answer = get_session().get(url, params=query, headers=build_hf_headers(), timeout=QUICK_TIMEOUT)
            hf_raise_for_status(answer)
            page = answer.json()
            if not isinstance(page, list):
                raise DownloadError("the Hugging Face Hub did not answer with a list of models")
            url, query = answer.links.get("next", {}).get("url"), None  # which has the parameters in it
        except errors.HfHubHTTPError as error:
            raise DownloadError(f"the Hugging Face Hub {status_message(error)}") from error
        except DownloadError:
            raise
        except Exception as error:
            reason = type(error).__name__
            raise DownloadError(f"the Hugging Face Hub cannot be reached ({reason})") from safe_cause(error)
        yield page, url is not None
