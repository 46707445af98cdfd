"""Recipes that are no recipes: wrong YAML, code in YAML, absurd sizes, hostile names and overrides."""

from __future__ import annotations

import re
from functools import partial as bind

from fault_cases import inputs
from fault_cases.bench import Bench
from fault_cases.judge import need, nothing, quiet, refused, succeeded, survived
from fault_cases.registry import fault

BOMB = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
BOMB += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)]


def _card(text: str) -> str:
    return inputs.RECIPE + text


def _section(line: str, old: str) -> str:
    found = re.sub(rf"(?m)^ *{old}.*$", line, inputs.RECIPE)
    assert found != inputs.RECIPE, old
    return found


def _name(name: str) -> str:
    return inputs.RECIPE.replace("name: tiny", f"name: {name}", 1)


REFUSED: dict[str, tuple[str, str | bytes]] = {
    "binary": ("binary data", bytes(range(256)) * 20),
    "utf16": ("UTF-16", inputs.RECIPE.encode("utf-16")),
    "empty": ("an empty file", ""),
    "list": ("a list", "- a\n- b\n"),
    "scalar": ("a single word", "hello\n"),
    "multi": ("two documents", inputs.RECIPE + "---\n" + inputs.RECIPE),
    "tabs": ("tabs", inputs.RECIPE.replace("  root:", "\troot:")),
    "dup": ("a key twice", inputs.RECIPE + "card: {title: x, description: y}\n"),
    "nul": ("a NUL byte", inputs.RECIPE.replace("Finds discs.", "Finds\0discs.")),
    "deep": ("lists nested 100,000 deep", "name: " + "[" * 100_000 + "]" * 100_000),
    "deepmap": ("mappings nested 5,000 deep", "name: " + "{a: " * 5000 + "1" + "}" * 5000),
    "lol": ("an alias bomb at the top", "\n".join(BOMB) + "\n"),
    "merge": (
        "a merge key",
        inputs.RECIPE.replace("  root: ROOT", "  root: ROOT\n  name: {<<: {a: 1}, b: 2}"),
    ),
    "pyobj": ("a Python object", _card("evil: !!python/object/apply:os.system ['touch pwned']\n")),
    "pyobj2": (
        "a Python object as the title",
        _section("  title: !!python/object/apply:os.system ['touch pwned']", "title:"),
    ),
    "pyname": ("a Python name", inputs.RECIPE.replace("  root: ROOT", "  name: !!python/name:os.system")),
    "lr": ("learning rate 1e6", _section("  learning_rate: 1.0e+6", "learning_rate:")),
    "nanlr": ("learning rate NaN", _section("  learning_rate: .nan", "learning_rate:")),
    "longname": ("a name of 10,000 letters", _name("a" * 10_000)),
    "trav": ("the name ../../x", _name("../../x")),
    "trav2": ("the name /etc/x", _name("/etc/x")),
    "trav3": ("the name ..", _name("..")),
}


def _write(bench: Bench, name: str, text: str | bytes) -> str:
    file = f"{name}.yaml"
    text = text.replace("ROOT", str(inputs.discs(bench))) if isinstance(text, str) else text
    (bench.folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def _refuse(bench: Bench, name: str, text: str | bytes) -> None:
    result = bench.run("validate", _write(bench, name, text), timeout=30)
    lines = 20 if name in {"lol", "longname", "merge"} else 8 if name in {"empty", "list", "scalar"} else 1
    refused(result, f"{name}.yaml", lines=lines)


for _id, (_what, _text) in REFUSED.items():
    fault((f"rec_{_id}", f"recipe: {_what}"))(bind(_refuse, name=_id, text=_text))


@fault(("rec_big", "recipe of 100 MB"))
def big(bench: Bench) -> None:
    text = (
        inputs.RECIPE
        + "  limits:\n"
        + "    - a line that takes some space, again and again and again\n" * 1_600_000
    )
    result = bench.run("validate", _write(bench, "big", text), timeout=10)
    refused(result, "big.yaml")


@fault(("rec_bigkeys", "recipe of 5 MB of unknown keys"))
def many_keys(bench: Bench) -> None:
    text = inputs.RECIPE + "extra:\n" + "".join(f"  key{index}: {index}\n" for index in range(300_000))
    result = bench.run("validate", _write(bench, "bigkeys", text), timeout=10)
    refused(result, "bigkeys.yaml", lines=2)


@fault(
    ("rec_hugepatch", "recipe: patch of 10,000,000 px"),
    ("rec_hugepatch_run", "run with a patch of 10,000,000 px"),
)
def huge_patch(bench: Bench) -> None:
    file = _write(bench, "hugepatch", _section("  patch: 10000000", "patch:"))
    with bench.row("rec_hugepatch"):
        survived(bench.run("validate", file), "patch")
    with bench.row("rec_hugepatch_run"):
        refused(bench.run("run", file, "--out", "out", timeout=60), "patch")
        nothing(bench)


@fault(("rec_hugew", "recipe: width 10^6, depth 30"), ("rec_hugew_run", "run with width 10^6, depth 30"))
def huge_network(bench: Bench) -> None:
    file = _write(bench, "hugew", _section("  options: {width: 1000000, depth: 30}", "options:"))
    with bench.row("rec_hugew"):
        # two keys are wrong, and each has a line
        refused(bench.run("validate", file), "width", "depth", lines=2)
    with bench.row("rec_hugew_run"):
        refused(bench.run("run", file, "--out", "out"), "width", "depth", lines=2)
        nothing(bench)


@fault(
    ("rec_lol2", "recipe: alias bomb in model.options"),
    ("rec_lol2_run", "run with an alias bomb in model.options"),
)
def options_bomb(bench: Bench) -> None:
    levels = "".join(f"    {line}\n" for line in BOMB)
    file = _write(bench, "lol2", _section(f"  options:\n{levels}    bomb: *a9", "options:"))
    with bench.row("rec_lol2"):
        survived(bench.run("validate", file, timeout=20))
    with bench.row("rec_lol2_run"):
        refused(bench.run("run", file, "--out", "out", timeout=40), lines=20)
        nothing(bench)


@fault(
    ("rec_recur", "recipe: a mapping that holds itself"),
    ("rec_recur_run", "run with a mapping that holds itself"),
)
def recursive(bench: Bench) -> None:
    file = _write(bench, "recur", _section("  options: &self {width: 8, me: *self}", "options:"))
    with bench.row("rec_recur"):
        survived(bench.run("validate", file, timeout=20))
    with bench.row("rec_recur_run"):
        refused(bench.run("run", file, "--out", "out", timeout=40), lines=2)
        nothing(bench)


OVERRIDES = {
    "evil": ("a Python object", "card.title=!!python/object/apply:os.system ['touch pwned']"),
    "list": ("a key inside a list", "card.tags.0=x"),
    "nul": ("a control character", "card.title=a\x01b"),
}


def _override(bench: Bench, text: str) -> None:
    refused(bench.run("validate", "quickstart", text), "card.t")


for _id, (_what, _value) in OVERRIDES.items():
    fault((f"override_{_id}", f"override: {_what}"))(bind(_override, text=_value))


@fault(("val_dir", "validate a folder"))
def a_folder(bench: Bench) -> None:
    inputs.data(bench)
    refused(bench.run("validate", "data"), "data")


@fault(("val_fifo", "validate /dev/zero"))
def a_device(bench: Bench) -> None:
    refused(bench.run("validate", "/dev/zero", timeout=20), "/dev/zero")


@fault(("cp_trav", "cp of a path that is no recipe"))
def copies_any_file(bench: Bench) -> None:
    outside = "../../" * 3 + str(bench.secret_file).lstrip("/")
    for source in (outside, bench.secret_file):
        refused(bench.run("cp", source, "out.yaml"))
        nothing(bench)


@fault(("cp_dir", "cp into a folder that is not there"))
def copies_nowhere(bench: Bench) -> None:
    refused(bench.run("cp", "quickstart", "none/mine.yaml"), "none/mine.yaml")


@fault(("cp_over", "cp onto an existing file"))
def copies_over(bench: Bench) -> None:
    (bench.folder / "mine.yaml").write_text("precious")
    refused(bench.run("cp", "quickstart", "mine.yaml"), "mine.yaml")


@fault(("cp_twice", "two cp to one file at once"))
def copies_at_once(bench: Bench) -> None:
    (bench.folder / "out").mkdir()
    started = [bench.start("cp", name, "out/mine.yaml") for name in ("quickstart", "bioimageio_nuclei")]
    results = [bench.finish(process) for process in started]
    for result in results:
        quiet(result)
    need(sorted(result.code for result in results) == [0, 2], f"exits {[result.code for result in results]}")
    succeeded(bench.run("validate", "out/mine.yaml", "data.root=null"))
