"""Archives of data sets and models from the web: malicious, damaged, gone, or too large to unpack."""

from __future__ import annotations

import io
import threading
import zipfile
from functools import partial as bind
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fault_cases import inputs
from fault_cases.archives import zeros
from fault_cases.bench import Bench
from fault_cases.disks import disk
from fault_cases.judge import need, quiet
from fault_cases.registry import fault

CODE = """
import os
from pathlib import Path
os.environ.pop("HF_HUB_OFFLINE", None)  # which refuses every download
import finetune.downloads.archive as archive
from cards.errors import InputError
try:
    archive.download({url!r}, Path({folder!r}), None, lambda root: None)
except InputError as error:
    print("InputError", error)
else:
    print("downloaded")
"""


class Site:
    """A web server on 127.0.0.1 that answers with files by their names, while the block runs."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def __enter__(self) -> str:
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = files.get(self.path.strip("/"))
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def _zip(names: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in names.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if name == link:
                info.external_attr = 0o120777 << 16
            file.writestr(info, body)
    return buffer.getvalue()


GOOD = {"images/a.tif": b"a", "masks/a.tif": b"a"}


def archives(bench: Bench) -> dict[str, bytes]:
    """The archives by their names."""
    outside = str(bench.folder / "abs.txt")
    return {
        "slip": _zip(GOOD | {"../../pwned": b"x"}),
        "abs": _zip(GOOD | {outside: b"x"}),
        "win": _zip(GOOD | {r"..\..\pwned": b"x"}),
        "sym": _zip({"images": str(bench.folder).encode(), "images/inside.txt": b"x"}, link="images"),
        "cut": _zip(GOOD | {"images/b.tif": bytes(range(256)) * 99})[:300],
    }


def _archive(bench: Bench, name: str) -> None:
    with Site({f"{key}.zip": body for key, body in archives(bench).items()}) as url:
        folder = str(bench.folder / "out" / name)
        result = bench.run(code=CODE.format(url=f"{url}/{name}.zip", folder=folder))
    quiet(result)
    need("InputError" in result.out, f"unpacked: {result.text.strip()[-80:]}")
    need(len(result.out.strip().splitlines()) == 1, "more than one line")
    left = list((bench.folder / "out").rglob("*"))
    need(not left, f"left behind: {left[:2]}")


for _id, _what in {
    "slip": "names that begin with ../",
    "abs": "an absolute name",
    "win": r"names that begin with ..\\",
    "sym": "a link, and a file below it",
    "cut": "truncated",
    "absent": "not there (404)",
}.items():
    fault((f"zip_{_id}", f"archive: {_what}"))(bind(_archive, name=_id))


@fault(("zip_bomb", "archive: 1 GB of zeros, on a disk of 2 MB"))
def bomb(bench: Bench) -> None:
    body = _zip({"images/a.tif": bytes(10**9)})
    with disk(bench, "size=2M") as folder, Site({"bomb.zip": body}) as url:
        result = bench.run(code=CODE.format(url=f"{url}/bomb.zip", folder=str(folder / "bomb")))
        quiet(result)
        need("InputError" in result.out, f"no line that says why: {result.text.strip()[-80:]}")
        left = list(folder.rglob("*"))
        need(not left, f"left behind: {left[:2]}")


@fault(("zip_hidden", "archive: 3 GB behind 3 MB, on any disk"))
def hidden_bomb(bench: Bench) -> None:
    body = zeros({"images/a.tif": 3 * 2**30}, {})
    inputs.discs(bench)
    with Site({"bomb.zip": body}) as url:
        result = bench.run(code=CODE.format(url=f"{url}/bomb.zip", folder=str(bench.folder / "out" / "bomb")))
    quiet(result)
    words = ("large", "expand", "ratio", "limit", "bytes")
    need("InputError" in result.out, f"unpacked: {result.text.strip()[-80:]}")
    need(any(word in result.out for word in words), f"not refused for its size: {result.out.strip()[-80:]}")
