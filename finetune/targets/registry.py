"""Registry of targets: one class per file, built by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Any

from cards.base import Spec
from cards.errors import InputError
from finetune.errors import unknown
from finetune.targets.base import Target
from finetune.targets.boundary import Boundary
from finetune.targets.flows import Flows
from finetune.targets.foreground import Foreground
from finetune.targets.foreground_boundary import ForegroundBoundary
from finetune.targets.queries import Queries
from finetune.targets.rays import Rays
from finetune.targets.tasks import TASK_OF_TARGET
from finetune.utils.optional import require
from finetune.utils.options import build_options, option_errors
from finetune.utils.registration import Registry, providers

__all__ = ["AUTO", "TARGETS", "Target", "build_target", "register_target", "target_option_errors"]

AUTO = "auto"  # value of an option that is selected on validation images after training


def _check_name(name: str, target: type[Target]) -> None:
    if name in TASK_OF_TARGET:  # the value of model.target selects a task
        raise InputError(f"target '{name}': the name is taken; choose another one")
    if target.name != name:
        raise InputError(f"target '{name}': {target.__name__}.name is '{target.name}'; both must be equal")
    built = target()  # some set the maps from their options
    if missing := [member for member in ("channels", "map_names") if not hasattr(built, member)]:
        raise InputError(f"target '{name}': {target.__name__} has no {' and no '.join(missing)}")


TARGETS: Registry[type[Target]] = Registry(
    "target",
    {
        "foreground": Foreground,
        "boundary": Boundary,
        "foreground_boundary": ForegroundBoundary,
        "flows": Flows,
        "rays": Rays,
        "queries": Queries,
    },
    needs=(
        *("Options", "name", "labels", "keep_encoded", "encode", "orient", "rescale", "options"),
        *("whole", "choices", "activate", "decode", "loss_name", "loss"),
        *("exports_labels", "exported_axes", "head", "bioimageio_postprocessing"),
    ),
    check=_check_name,
)

# Package and extra of the targets that need an optional dependency; checked before a run reads its data.
OPTIONAL: dict[str, tuple[str, str]] = {
    "flows": ("cellpose", "cellpose"),
    "rays": ("stardist", "stardist"),
    "queries": ("transformers", "huggingface"),
}


def register_target(name: str, target: type[Target]) -> None:
    """Add a target.

    Args:
        name: key in recipes (`model.target`); equal to `target.name`.
        target: a class that satisfies the protocol `Target`.

    Raises:
        InputError: if the name belongs to another target or differs from the class's own, or the class lacks
            a member of the protocol.
    """
    TARGETS.register(name, target)


def build_target(target: str | Spec, options: Mapping[str, Any] | None = None) -> Target:
    """Build a target by name.

    Args:
        target: a key of `TARGETS`, or a name with options.
        options: values by option name, in addition to those of a `Spec`; missing ones take the defaults of
            the class's `Options`. The value `auto` stands for the default until the option is selected on
            validation images.

    Returns:
        The target.

    Raises:
        InputError: if there is no such target, it has no such option, or a value is not allowed.
    """
    name, given = (target.name, target.options) if isinstance(target, Spec) else (target, {})
    kind, given = _find(name), {**given, **(options or {})}
    if name in OPTIONAL:
        require(*OPTIONAL[name])
    for error in _auto_errors(name, given).values():
        raise InputError(f"target '{name}': {error}")
    return kind(build_options(kind.Options, _without_auto(kind, given), f"target '{name}'"))  # type: ignore[call-arg]


def tentative_target(target: Target, auto: Collection[str]) -> Target:
    """Target for validation during training, before the options left `auto` are selected.

    Args:
        target: the target, with defaults for these options.
        auto: names of the options.

    Returns:
        A target with the values of `target.tentative` for these options; the same if it has none.
    """
    values = {name: value for name, value in getattr(target, "tentative", {}).items() if name in auto}
    return build_target(target.name, {**target.options(), **values}) if values else target


def target_option_errors(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Validate the options of a target without building it.

    Args:
        name: a key of `TARGETS`.
        options: values by option name; `auto` is allowed for the options in the target's `choices`.

    Returns:
        One message per option that is wrong, by option name.

    Raises:
        InputError: if there is no such target.
    """
    kind = _find(name)
    errors = option_errors(kind.Options, _without_auto(kind, options), f"target '{name}'")
    return _auto_errors(name, options) | errors


def encoder_versions(name: str) -> dict[str, str]:
    """Versions of the packages that encode label images: a change invalidates encoded maps on disk.

    Args:
        name: of the target.

    Returns:
        Version by package: finetune, the optional package of the target, and packages that extend finetune.
    """
    packages = ["finetune", *([OPTIONAL[name][0]] if name in OPTIONAL else [])]
    return {package: version(package) for package in packages} | providers()


def _find(name: str) -> type[Target]:
    if name not in TARGETS:
        raise unknown("target", name, TARGETS)
    return TARGETS[name]


def _without_auto(kind: type[Target], options: Mapping[str, Any]) -> dict[str, Any]:
    known = kind.Options.model_fields  # an unknown option stays, and is reported
    return {option: value for option, value in options.items() if value != AUTO or option not in known}


def _auto_errors(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Errors of the options that are set to `auto` but cannot be selected on validation images."""
    kind = TARGETS[name]
    allowed = ", ".join(kind.choices) or "none of its options"
    return {
        option: f"{option} cannot be auto; {allowed} can"
        for option, value in options.items()
        if value == AUTO and option in kind.Options.model_fields and option not in kind.choices
    }
