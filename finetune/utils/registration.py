"""Registries of components: an explicit dictionary, extended by `register_*` functions and entry points.

A package that adds components names them in its `pyproject.toml`, in one entry-point group per registry:

    [project.entry-points."finetune.targets"]
    my_target = "my_package.target:MyTarget"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import Any, TypeVar

from cards.errors import InputError

T = TypeVar("T")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Registry(MutableMapping[str, T]):
    """Components by name. Entry points are read once, when a name is not built in or all names are listed."""

    def __init__(
        self,
        kind: str,
        builtin: dict[str, T],
        needs: tuple[str, ...] = (),
        check: Callable[[str, T], None] | None = None,
    ) -> None:
        """Create a registry.

        Args:
            kind: noun for a component, such as "target"; its entry-point group is `finetune.<kind>s`, or
                `finetune.repositories` for "repository".
            builtin: the components of finetune itself.
            needs: attributes that a component must have.
            check: further checks of a component from outside; raises `InputError`.
        """
        self.kind, self.needs, self.check = kind, needs, check
        self.group = f"finetune.{kind.removesuffix('y')}ies" if kind.endswith("y") else f"finetune.{kind}s"
        self._components = dict(builtin)
        self._complete = False

    def register(self, name: str, component: T) -> None:
        """Add a component.

        Args:
            name: name in recipes.
            component: the component.

        Raises:
            InputError: if the name is invalid or taken, or the component lacks an attribute.
        """
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            raise InputError(
                f"{self.kind} {name!r}: a name must start with a letter and contain only letters, digits and "
                "underscores"
            )
        if self._components.get(name, component) is not component:
            raise InputError(f"{self.kind} '{name}': the name is taken; choose another one")
        missing = [attribute for attribute in self.needs if not hasattr(component, attribute)]
        if missing:
            raise InputError(f"{self.kind} '{name}': {_name(component)} lacks {', '.join(missing)}")
        if self.check:
            self.check(name, component)
        self._components[name] = component

    def __getitem__(self, name: str) -> T:
        if name not in self._components:
            self._read_entry_points()
        return self._components[name]

    def __setitem__(self, name: str, component: T) -> None:
        self._components[name] = component

    def __delitem__(self, name: str) -> None:
        del self._components[name]

    def __iter__(self) -> Iterator[str]:
        self._read_entry_points()
        return iter(self._components)

    def __len__(self) -> int:
        self._read_entry_points()
        return len(self._components)

    def _read_entry_points(self) -> None:
        if self._complete:
            return
        self._complete = True  # first: a component may look at the registry while it is imported
        try:
            for entry in sorted(entry_points(group=self.group), key=lambda entry: entry.name):
                self.register_entry_point(entry)
        except InputError:
            self._complete = False  # the next use reports the same error
            raise

    def register_entry_point(self, entry: EntryPoint) -> None:
        """Import the component of an entry point and add it.

        Args:
            entry: an entry point of the registry's group.

        Raises:
            InputError: if it cannot be imported or is not a valid component; names the distribution.
        """
        try:
            self.register(entry.name, load_entry_point(entry))
        except InputError as error:
            if "entry point" in str(error):
                raise
            raise InputError(f"{describe_entry_point(entry)}: {error}") from error


def load_entry_point(entry: EntryPoint) -> Any:
    """Import the object of an entry point.

    Args:
        entry: the entry point.

    Returns:
        The object.

    Raises:
        InputError: if the import fails; names the distribution.
    """
    try:
        return entry.load()
    except Exception as error:  # whatever a package raises while it is imported
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(
            f"{describe_entry_point(entry)} cannot be imported ({reason}); update or uninstall the package"
        ) from error


def providers(entries: Iterable[EntryPoint] | None = None) -> dict[str, str]:
    """Find the installed packages that add components or commands.

    Args:
        entries: entry points; by default all in groups of finetune.

    Returns:
        Version by name of the package.
    """
    if entries is None:
        everything = (entry for package in distributions() for entry in package.entry_points)
        entries = [entry for entry in everything if entry.group.startswith("finetune.")]
    return {entry.dist.name: entry.dist.version for entry in entries if entry.dist}


def describe_entry_point(entry: EntryPoint) -> str:
    """Name an entry point and its package, for error messages.

    Args:
        entry: the entry point.

    Returns:
        Group, name, and name and version of the package.
    """
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return f"entry point {entry.group}:{entry.name} of {package}"


def _name(component: Any) -> str:
    return getattr(component, "__name__", type(component).__name__)
