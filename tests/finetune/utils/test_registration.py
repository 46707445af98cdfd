"""Registries: what `register_*` refuses, and entry points of other packages."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cards.errors import InputError
from finetune.utils.registration import Registry

RULE = "a name must start with a letter and contain only letters, digits and underscores"


def shapes() -> Registry[object]:
    return Registry("shape", {"disc": "built in"}, needs=("upper",))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a package with one module and the entry points of a group."""

    def run(name: str, code: str, **entries: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n")
        lines = [f"{key} = {value}" for key, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(["[finetune.shapes]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return run


def test_a_registered_component_is_found_and_may_be_registered_again() -> None:
    registry = shapes()
    registry.register("ring", ring := "a ring")
    registry.register("ring", ring)
    assert registry["ring"] == "a ring"
    assert list(registry) == ["disc", "ring"]


@pytest.mark.parametrize(
    ("name", "component", "message"),
    [
        ("disc", "other", "shape 'disc': the name is taken; choose another one"),
        ("my ring", "other", "shape 'my ring': " + RULE),
        ("2d_ring", "other", "shape '2d_ring': " + RULE),
        ("ring", 3, "shape 'ring': int lacks upper"),
    ],
)
def test_what_cannot_be_registered(name: str, component: object, message: str) -> None:
    registry = shapes()
    with pytest.raises(InputError) as caught:
        registry.register(name, component)
    assert str(caught.value) == message
    assert dict(registry) == {"disc": "built in"}


def test_entry_points_are_found_by_name_and_listed(install) -> None:
    install("ringed", "ring = 'from outside'", ring="ringed:ring")
    assert shapes()["ring"] == "from outside"
    assert "ring" in shapes()
    assert list(shapes()) == ["disc", "ring"]
    assert "square" not in shapes()


def test_a_built_in_name_needs_no_entry_points(install) -> None:
    install("broken", "raise RuntimeError('no')", ring="broken:ring")
    assert shapes()["disc"] == "built in"


@pytest.mark.parametrize(
    ("code", "entry", "message"),
    [
        (
            "import nothing_of_that_name",
            {"ring": "faulty:ring"},
            "entry point finetune.shapes:ring of faulty 2.0 cannot be imported (ModuleNotFoundError: No "
            "module named 'nothing_of_that_name'); update or uninstall the package",
        ),
        (
            "ring = 3",
            {"ring": "faulty:ring"},
            "entry point finetune.shapes:ring of faulty 2.0: shape 'ring': int lacks upper",
        ),
        (
            "disc = 'other'",
            {"disc": "faulty:disc"},
            "entry point finetune.shapes:disc of faulty 2.0: shape 'disc': the name is taken; choose another "
            "one",
        ),
    ],
)
def test_a_broken_package_is_one_line_that_names_it(install, code: str, entry: dict, message: str) -> None:
    install("faulty", code, **entry)
    registry = shapes()
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            list(registry)
        assert str(caught.value) == message
