"""A Hugging Face Hub that refuses, breaks off or alters files: one line, or the right weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path
from typing import Any

from hub_server import Hub, Server

from fault_cases import inputs
from fault_cases.bench import Bench, Result, content
from fault_cases.judge import labeled, need, nothing, refused, succeeded
from fault_cases.registry import fault

WEIGHTS = "model.safetensors"


def publish(hub: Hub, bench: Bench, name: str = "u/m", **changed: bytes) -> dict[str, bytes]:
    """Serve the export of the finished run; returns its files."""
    folder = inputs.finished(bench) / "huggingface"
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} | changed
    hub.add(name, files, lfs=[WEIGHTS])
    return files


def predict(bench: Bench, hub: Hub | str, out: str = "out", model: str = "u/m", **options: Any) -> Result:
    """Label one image with a model on the Hub."""
    if not (bench.folder / "pred").exists():
        inputs.images(bench, names=("a",))
    url = hub if isinstance(hub, str) else hub.url
    return bench.run("predict", model, "pred", "--out", out, hub=url, **options)


def good(bench: Bench, result: Result, out: str = "out") -> None:
    """The labels are those of the model as it was published."""
    succeeded(result)
    labeled(bench, ("a",), out)


def _refusal(bench: Bench, prepare: Callable[[Hub], Any], env: dict[str, str] | None = None) -> None:
    with Server() as hub:
        publish(hub, bench)
        prepare(hub)
        refused(predict(bench, hub, env=env), "u/m")
    nothing(bench)


def _set(name: str, value: object) -> Callable[[Hub], Any]:
    return lambda hub: setattr(hub, name, value)


for _status in (401, 403, 404, 429, 500, 503):
    fault((f"hub_s{_status}", f"HTTP {_status} to everything"))(
        bind(_refusal, prepare=_set("status", _status))
    )
for _status in (403, 404, 429, 500):
    fault((f"hub_f{_status}", f"HTTP {_status} to files"))(
        bind(_refusal, prepare=_set("file_status", _status))
    )


def _private(hub: Hub) -> None:
    hub.private.add("u/m")
    hub.token = "the-good-token"


fault(("hub_gated", "gated repository"))(bind(_refusal, prepare=_set("gated", {"u/m"})))
fault(("hub_private", "private repository, wrong token"))(
    bind(_refusal, prepare=_private, env={"HF_TOKEN": "hf_wrong"})
)
fault(("hub_corrupt", "first byte of the weights altered on the way"))(
    bind(_refusal, prepare=_set("corrupt", {WEIGHTS}))
)


@fault(("hub_down", "endpoint not there"))
def down(bench: Bench) -> None:
    inputs.finished(bench)
    refused(predict(bench, "http://127.0.0.1:9"), "u/m")
    nothing(bench)


@fault(("hub_cut1", "connection cut once in the middle of the weights"))
def cut_once(bench: Bench) -> None:
    with Server() as hub:
        publish(hub, bench)
        hub.cuts = [10_000, 10_000, 1000]
        good(bench, predict(bench, hub))


@fault(
    ("hub_cut9", "connection cut again and again"),
    ("hub_cut9_again", "then again, whole, with the partial file in the cache"),
)
def cut_often(bench: Bench) -> None:
    with Server() as hub:
        publish(hub, bench)
        hub.cuts = [100] * 400
        with bench.row("hub_cut9"):
            refused(predict(bench, hub), "u/m")
            nothing(bench)
        hub.cuts = []
        with bench.row("hub_cut9_again"):
            good(bench, predict(bench, hub, "out2"), "out2")


@fault(("hub_halt", "a download that stands still"))
def halt(bench: Bench) -> None:
    with Server() as hub:
        publish(hub, bench)
        hub.halts = [1000]
        result = predict(bench, hub, timeout=60)
        if result.code == 0:
            good(bench, result)
        else:
            refused(result, "u/m")


def _cached(bench: Bench, name: str = WEIGHTS) -> Path:
    """A file in the cache of the Hub."""
    found = [path.resolve() for path in (bench.folder / "hf").rglob(name)]
    need(found, f"the case itself: no {name} in the cache")
    return found[0]


def _damaged_cache(bench: Bench, damage: Callable[[Path], Any], status: int | None, fine: bool) -> None:
    with Server() as hub:
        publish(hub, bench)
        good(bench, predict(bench, hub))
        damage(_cached(bench))
        hub.status = status
        result = predict(bench, hub, "out2")
        if fine and result.code == 0:
            good(bench, result, "out2")
            return
        refused(result, ("damaged", "sha-256", "truncated"))
        nothing(bench, "out2")
        hub.status = None
        good(bench, predict(bench, hub, "out3"), "out3")  # the damaged file is not kept


fault(("hub_part2", "weights in the cache truncated, Hub up"))(
    bind(_damaged_cache, damage=inputs.cut, status=None, fine=True)
)
fault(("hub_flipc2", "one bit of the cached weights flipped, Hub up"))(
    bind(_damaged_cache, damage=inputs.flip, status=None, fine=True)
)
fault(("hub_flipc3", "one bit of the cached weights flipped, Hub answers 500"))(
    bind(_damaged_cache, damage=inputs.flip, status=500, fine=False)
)


def _altered(bench: Bench, prefix: str, change: Callable[[bytes], bytes]) -> None:
    """config.json arrives altered; then again from a healthy Hub, with the same cache."""
    with Server() as hub:
        files = publish(hub, bench)
        changed = change(files["config.json"])
        need(changed != files["config.json"], "the case itself: nothing was altered")
        hub.altered["config.json"] = changed
        with bench.row(f"{prefix}a"):
            refused(predict(bench, hub), ("damaged", "sha", "hash", "altered", "config.json"))
            nothing(bench)
        hub.altered.clear()
        with bench.row(f"{prefix}b"):
            good(bench, predict(bench, hub, "out2"), "out2")


def _digit(text: bytes) -> bytes:
    """Another digit in the normalization."""
    start = text.index(b'"normalize"')
    for old, new in ((b"99", b"69"), (b"1.0", b"9.0"), (b"percentile", b"Percentile")):
        if old in text[start : start + 300]:
            return text[:start] + text[start:].replace(old, new, 1)
    return text


fault(
    ("hub_c2a", "first byte of config.json altered on the way"),
    ("hub_c2b", "then again from a healthy Hub, same cache"),
)(bind(_altered, prefix="hub_c2", change=lambda text: b"[" + text[1:]))
fault(
    ("hub_c3a", "a digit of config.json altered on the way"),
    ("hub_c3b", "then again from a healthy Hub, same cache"),
)(bind(_altered, prefix="hub_c3", change=_digit))


def _hostile(bench: Bench, change: Callable[[dict[str, Any]], Any]) -> None:
    """A config.json of the author's choice."""
    with Server() as hub:
        config = json.loads((inputs.finished(bench) / "huggingface" / "config.json").read_text())
        change(config)
        publish(hub, bench, "u/evil", **{"config.json": json.dumps(config).encode()})
        refused(predict(bench, hub, model="u/evil"), "u/evil")
    nothing(bench)


def _package(config: dict[str, Any]) -> None:
    config["architecture"] = {"repository": "bioimageio", "name": "/etc", "options": {}}


def _structure(config: dict[str, Any]) -> None:
    options = {"structure": "../" * 12 + "etc/passwd", "network": "../" * 12 + "etc/passwd"}
    config["architecture"] = {"repository": "bioimageio", "name": "x", "options": options}


fault(("hub_evilrepo", "config.json that names another repository"))(bind(_hostile, change=_package))
fault(("hub_ts2", "config.json with a structure ../../passwd"))(bind(_hostile, change=_structure))


def _name(bench: Bench, model: str) -> None:
    with Server() as hub:
        publish(hub, bench)
        refused(predict(bench, hub, model=model))
    nothing(bench)


fault(("hub_trav", "an id with .."))(bind(_name, model="../../etc@x"))
fault(("hub_trav2", "the id u/.."))(bind(_name, model="u/.."))
fault(("hub_revtrav", "a revision with ../"))(bind(_name, model="u/m@../../x"))


@fault(("hub_run", "run from a private model: the token is in no file of the run, the cache or the log"))
def token(bench: Bench) -> None:
    from tiny_transformers import theirs

    folder = bench.folder / "model"
    theirs("segformer").save_pretrained(folder)
    token = "hf_" + bench.secret.replace("-", "")
    small = ("training.epochs=1", "training.images_per_epoch=4", "training.patch=32", "training.workers=0")
    data = ("data.name=null", f"data.root={inputs.discs(bench)}")
    with Server() as hub:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        hub.add("u/seg", files, lfs=[WEIGHTS])
        hub.private.add("u/seg")
        hub.token = token
        change = ("model.name=u/seg", "model.options={}", "training.batch_size=2", *data, *small)
        env = {"HF_TOKEN": token}
        result = bench.run(
            "run", "segformer_nuclei", *change, "--out", "out", hub=hub.url, env=env, timeout=200
        )
        succeeded(result)
        store = [request for request in hub.asked if request.path.startswith("/store/")]
        need(store, "the case itself: no weights were fetched")
        need(
            not any(token in str(request.headers) for request in store),
            "the token was sent to the file store",
        )
    need(token not in result.text, "the token was printed")
    for path in (Path(root) / name for root, _, names in os.walk(bench.folder) for name in names):
        need(token.encode() not in content(path), f"the token is in {path.name}")
