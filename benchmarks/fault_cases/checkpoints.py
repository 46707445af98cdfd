"""Checkpoints of an unfinished run: damaged, missing, malicious, or beside a recipe that was edited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial as bind
from pathlib import Path
from typing import Any

from fault_cases import inputs
from fault_cases.bench import FIRST, Bench, Failed
from fault_cases.judge import need, quiet, refused, same_weights, succeeded
from fault_cases.registry import fault
from fault_cases.weights import evil_zip


def find(work: Path, name: str) -> Path:
    """The first file of that name in an unfinished run, sorted by path."""
    found = sorted(work.rglob(name))
    if not found:
        raise Failed(f"the case itself: no {name} in {work.name}")
    return found[0]


def same_or_refused(bench: Bench, result: Any, *mentions: str) -> None:
    """Ends with the weights of the unbroken run, or says in one line what is damaged."""
    if result.code == 0:
        quiet(result)
        same_weights(bench)
    else:
        refused(result, *mentions)


def _damaged(bench: Bench, name: str, where: str, damage: Callable[[Path], Any]) -> None:
    work = inputs.stopped(bench, where)
    damage(find(work, name))
    same_or_refused(bench, bench.run("run", "--resume", "out"), name)


def _version(path: Path) -> None:
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    content["pytorch-lightning_version"] = "9.9.9"
    torch.save(content, path)


DAMAGE: dict[str, tuple[str, str, str, Callable[[Path], Any]]] = {
    "flip": ("last.ckpt with one bit flipped", "last.ckpt", FIRST, lambda path: inputs.flip(path, 0.5)),
    "lastcut": ("last.ckpt truncated", "last.ckpt", FIRST, inputs.cut),
    "lastempty": ("last.ckpt empty", "last.ckpt", FIRST, lambda path: path.write_bytes(b"")),
    "evil": ("last.ckpt is a pickle that runs a command", "last.ckpt", FIRST, evil_zip),
    "ver": ("last.ckpt of pytorch-lightning 9.9.9", "last.ckpt", FIRST, _version),
    "bestcut": ("best.ckpt truncated", "best.ckpt", FIRST, inputs.cut),
    "bestgone": ("best.ckpt missing", "best.ckpt", FIRST, Path.unlink),
    "fincut": ("finished.json truncated", "finished.json", "exporting", inputs.cut),
    "bestcut_end": ("best.ckpt truncated after training", "best.ckpt", "exporting", inputs.cut),
    "bestflip_end": (
        "best.ckpt with one bit flipped",
        "best.ckpt",
        "exporting",
        lambda path: inputs.flip(path, 0.4),
    ),
}

for _id, (_what, _name, _where, _damage) in DAMAGE.items():
    fault((f"res_{_id}", f"resume: {_what}"))(bind(_damaged, name=_name, where=_where, damage=_damage))


@fault(("res_twice", "resume: last.ckpt damaged, and the one before as well"))
def nothing_left_to_resume(bench: Bench) -> None:
    work = inputs.stopped(bench, FIRST)
    for path in work.rglob("*.ckpt*"):
        path.write_bytes(b"")
    same_or_refused(bench, bench.run("run", "--resume", "out"), "ckpt")


def _edited(bench: Bench, old: str, new: str) -> None:
    """An edited recipe is refused, or has no effect; the record must not state what was not used."""
    work = inputs.stopped(bench, FIRST)
    path = find(work, "recipe.yaml")
    changed = re.sub(old, new, path.read_text(), count=1)
    need(changed != path.read_text(), "the case itself: nothing was edited")
    path.write_text(changed)
    result = bench.run("run", "--resume", "out")
    if result.code:
        refused(result, "recipe")
        return
    same_weights(bench)
    with (bench.folder / "out" / "record.json").open() as file:
        need(
            "0.001" not in json.dumps(json.load(file)["recipe"]), "the record has a setting that was not used"
        )


fault(("res_lr", "resume: recipe.yaml edited, another learning rate"))(
    bind(_edited, old=r"learning_rate: \S+", new="learning_rate: 0.001")
)
fault(("res_arch", "resume: recipe.yaml edited, another width"))(
    bind(_edited, old=r"width: 8", new="width: 16")
)


def _recipe(bench: Bench, damage: Callable[[Path], Any]) -> None:
    work = inputs.stopped(bench, FIRST)
    damage(find(work, "recipe.yaml"))
    refused(bench.run("run", "--resume", "out"), "recipe", lines=4)
    need(any(bench.folder.rglob("last.ckpt")), "the checkpoint is gone")


fault(("res_reccut", "resume: recipe.yaml truncated"))(bind(_recipe, damage=inputs.cut))
fault(("res_recgone", "resume: recipe.yaml missing"))(bind(_recipe, damage=Path.unlink))


@fault(("res_done", "resume of a finished run"))
def finished(bench: Bench) -> None:
    inputs.run_copy(bench)
    refused(bench.run("run", "--resume", "run"), "finished")


@fault(("res_plain", "resume of an unfinished run that nobody touched"))
def intact(bench: Bench) -> None:
    inputs.stopped(bench, FIRST)
    succeeded(bench.run("run", "--resume", "out"))
    same_weights(bench)
