"""Client of the artifact manager of Hypha, the server of the BioImage.IO collection."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from cards.errors import InputError
from cards.publish.base import Item, PublishError

if TYPE_CHECKING:
    import httpx

Value = TypeVar("Value")

COLLECTION = "bioimage-io/bioimage.io"
ALIAS = "{animal_adjective}-{animal}"  # the server fills it in
# How servers are told that an artifact is a draft: older ones by its version, newer ones by an argument.
STAGES: tuple[dict[str, Any], ...] = ({"version": "stage"}, {"stage": True})
UNKNOWN_ARGUMENT = (400, 422, 500)  # answers of a server of the other kind
WAITS = (1.0, 2.0)  # seconds before a request that may be repeated is repeated
TIMEOUT = 60  # seconds without an answer
SERVER = "the BioImage.IO server"
REASONS = {
    401: f"{SERVER} denies access (401): get a new token",
    403: f"{SERVER} denies access (403): ask the collection for permission to contribute",
    404: f"{SERVER} does not find it (404): check the id of the draft",
    413: f"{SERVER} refuses a file as too large (413)",
    429: f"{SERVER} reports too many requests (429): wait a few minutes",
}


@dataclass
class Draft:
    """A model in the collection that has not been published yet.

    Attributes:
        id: of the artifact, such as "bioimage-io/happy-shark".
        stage: arguments that mark it as a draft; the first of `STAGES` until the server rejects it.
    """

    id: str
    stage: dict[str, Any] = field(default_factory=lambda: dict(STAGES[0]))


class Server:
    """Requests of one user. Use it as a context manager."""

    def __init__(self, address: str, token: str):
        """Choose a server.

        Args:
            address: of the service, without the name of a method.
            token: of the user; it is sent to this address only.
        """
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}"}

    def __enter__(self) -> Server:
        """Open the connection."""
        import httpx

        self._client: httpx.Client = httpx.Client(timeout=TIMEOUT, follow_redirects=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()

    def create(self, manifest: Mapping[str, Any]) -> Draft:
        """Create a draft. The request is not repeated, because each one creates a draft.

        Args:
            manifest: content of `rdf.yaml`.

        Returns:
            The draft.

        Raises:
            InputError: if the user is refused.
            PublishError: if there is no draft, or it is not known whether there is one.
        """
        arguments = {"parent_id": COLLECTION, "alias": ALIAS, "type": "model", "manifest": manifest}
        for stage in STAGES:
            try:
                answer = self._post("create", arguments | stage)
                if answer.status_code in UNKNOWN_ARGUMENT and "stage" in answer.text:
                    continue
                found = answer.raise_for_status().json()["id"]
                return Draft(str(found), stage)
            except Exception as error:
                unknown = getattr(error, "response", None) is None
                state = "not known whether a draft was created" if unknown else "not published"
                then = "look for it at https://bioimage.io/#/my-artifacts" if unknown else "try again"
                _fail(state, error, then)
        raise PublishError(
            f"not published: {SERVER} accepts neither form of a draft; report this as a defect"
        )

    def put(self, draft: Draft, item: Item) -> None:
        """Upload one file; a file of that name is replaced.

        Args:
            draft: the draft.
            item: the file.
        """

        def request() -> None:
            arguments = {"artifact_id": draft.id, "file_path": item.path}
            address = self._post("put_file", arguments).raise_for_status().json()
            with item.source.open("rb") as file:  # S3 requires an empty content type, and no token
                answer = self._client.put(address, content=file, headers={"Content-Type": ""})
            answer.raise_for_status()

        self._continue(draft, f"{item.path} was not uploaded", request)

    def sha256(self, draft: Draft, item: Item) -> str:
        """Download one file and hash it.

        Args:
            draft: the draft.
            item: the file.

        Returns:
            SHA-256 as 64 hexadecimal digits.
        """

        def request() -> str:
            arguments = {"artifact_id": draft.id, "file_path": item.path}
            address = self._post_to(draft, "get_file", arguments).raise_for_status().json()
            hashed = hashlib.sha256()
            with self._client.stream("GET", address) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    hashed.update(chunk)
            return hashed.hexdigest()

        return self._continue(draft, f"{item.path} could not be read back", request)

    def request_review(self, draft: Draft, manifest: Mapping[str, Any]) -> None:
        """Edit the status of a draft, so that it is reviewed.

        Args:
            draft: the draft.
            manifest: content of `rdf.yaml`.
        """

        def request() -> None:
            arguments = {"artifact_id": draft.id, "manifest": {**manifest, "status": "request-review"}}
            self._post_to(draft, "edit", arguments).raise_for_status()

        self._continue(draft, "all files are uploaded, but no review was requested", request)

    def _post_to(self, draft: Draft, method: str, arguments: Mapping[str, Any]) -> httpx.Response:
        """Send a request for a draft, in the other form if the server does not know this one."""
        answer = self._post(method, {**arguments, **draft.stage})
        if answer.status_code in UNKNOWN_ARGUMENT and "stage" in answer.text:
            draft.stage = next(stage for stage in STAGES if stage != draft.stage)
            answer = self._post(method, {**arguments, **draft.stage})
        return answer

    def _post(self, method: str, arguments: Mapping[str, Any]) -> httpx.Response:
        headers = self._headers | {"Content-Type": "application/json"}
        content = json.dumps(arguments, default=str)
        return self._client.post(f"{self._address}/{method}", content=content, headers=headers)

    def _continue(self, draft: Draft, state: str, request: Callable[[], Value]) -> Value:
        """Send a request that may be repeated; at last report how to continue."""
        for wait in (*WAITS, None):
            try:
                return request()
            except Exception as error:
                if wait is None or not _is_temporary(error):
                    _fail(f"draft {draft.id}: {state}", error, f"continue with --repo {draft.id}")
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")


def _is_temporary(error: Exception) -> bool:
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


def _fail(state: str, error: Exception, then: str) -> NoReturn:
    """End with one line that does not quote the server, whose answer may repeat the request."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is None:
        reason = f"the connection to {SERVER} broke ({type(error).__name__})"
    else:
        reason = REASONS.get(status, f"{SERVER} answers {status}")
    kind = InputError if status in (401, 403) else PublishError
    raise kind(f"{state}: {reason}; {then}") from None
