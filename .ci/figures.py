"""Print the figures that keep the code base in shape, and fail if one is out of bounds.

uv run python .ci/figures.py           print all figures
uv run python .ci/figures.py --list    also list public functions without Args or Returns
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("finetune", "cards")
PROMPT_TEST = re.compile(r"""(==|!=|\bin)\s*\(?(PROMPTS\b|["']prompts["'])""")
PROMPT_REGISTRY = "finetune/targets/tasks.py"


def sources() -> list[Path]:
    """List the Python files of both packages.

    Returns:
        Paths in alphabetical order.
    """
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def public_functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Find the public functions and methods of a file that take arguments or return a value.

    Commands of the command line are left out: the help text of each option documents it.

    Args:
        path: a Python file.

    Yields:
        Name with file and line, and the syntax tree of the function.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [tree.body]
    bodies += [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    for node in (node for body in bodies for node in body):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if any("property" in text or "setter" in text or "command" in text for text in decorators):
            continue
        if arguments(node) or returns_value(node):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def arguments(function: ast.FunctionDef) -> bool:
    """Tell whether a function takes arguments other than self and cls.

    Args:
        function: its syntax tree.

    Returns:
        True if it does.
    """
    found = function.args
    names = [argument.arg for argument in (*found.posonlyargs, *found.args, *found.kwonlyargs)]
    return bool(set(names) - {"self", "cls"}) or bool(found.vararg or found.kwarg)


def returns_value(function: ast.FunctionDef) -> bool:
    """Tell whether a function is annotated to return something other than None.

    Args:
        function: its syntax tree.

    Returns:
        True if it is.
    """
    return function.returns is not None and ast.unparse(function.returns) not in ("None", "NoReturn")


def is_documented(function: ast.FunctionDef) -> bool:
    """Tell whether the docstring of a function has the sections that its signature calls for.

    Args:
        function: its syntax tree.

    Returns:
        True if there is an Args section for arguments, and a Returns or Yields section for a value.
    """
    text = ast.get_docstring(function) or ""
    has_args = not arguments(function) or "Args:" in text
    return has_args and (not returns_value(function) or "Returns:" in text or "Yields:" in text)


def help_seconds() -> float:
    """Measure `finetune --help`.

    Returns:
        Wall-clock seconds, the shortest of five calls.
    """
    command = [sys.executable, "-m", "finetune.cli", "--help"]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> int:
    """Print every figure with its bound.

    Returns:
        Exit code: 1 if a figure is out of bounds, except for the time, which depends on the machine.
    """
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in sources()]
    functions = [item for path in sources() for item in public_functions(path)]
    undocumented = [name for name, function in functions if not is_documented(function)]
    documented = 100 * (1 - len(undocumented) / len(functions))
    prompt_tests = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        if path != ROOT / PROMPT_REGISTRY
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PROMPT_TEST.search(line)
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    percentile = statistics.quantiles(lengths, n=10)[-1]
    figures: list[tuple[str, float, str, bool]] = [
        (
            "modules at the root of finetune/",
            root := len(list((ROOT / "finetune").glob("*.py"))),
            "≤ 5",
            root <= 5,
        ),
        ("places that test for prompts", len(prompt_tests), "0", not prompt_tests),
        ("longest file, lines", max(lengths), "≤ 300", max(lengths) <= 300),
        ("90th percentile of file length, lines", round(percentile), "≤ 230", percentile <= 230),
        ("public functions with Args and Returns, %", round(documented, 1), "≥ 95", documented >= 95),
        ("core dependencies", core := len(project["dependencies"]), "≤ 18", core <= 18),
        ("finetune --help, seconds", round(help_seconds(), 2), "≤ 0.3", True),
    ]
    for name, value, bound, within in figures:
        print(f"{name:45} {value:>8}   {bound:8} {'' if within else 'OUT OF BOUNDS'}")
    if "--list" in sys.argv:
        print(*undocumented, *(f"{place} tests for prompts" for place in prompt_tests), sep="\n")
    return int(not all(within for *_, within in figures))


if __name__ == "__main__":
    sys.exit(main())
