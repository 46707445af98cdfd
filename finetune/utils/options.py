"""Options of components as pydantic models: one set of defaults and limits, and one wording for errors."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from cards.errors import InputError
from finetune.errors import unknown

SHOWN = 100  # characters of a value in an error message


class Options(BaseModel):
    """Base class of the options of one component, such as a target or a network.

    Types are strict: an integer option refuses 2.5, "2" and True. Infinity and NaN are refused as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoOptions(Options):
    """The options of a component that has none."""


AnyOptions = TypeVar("AnyOptions", bound=BaseModel)


def option_errors(model: type[BaseModel], options: Mapping[str, Any], owner: str) -> dict[str, str]:
    """Validate options and collect what is wrong with them.

    Args:
        model: pydantic model of the options.
        options: values by option name.
        owner: component that the options belong to, for error messages, e.g. "target 'rays'".

    Returns:
        One message per option that is wrong, by option name; empty if all options are valid.
    """
    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        messages: dict[str, str] = {}
        for problem in error.errors():  # a union complains once for each of its types
            key = ".".join(str(part) for part in problem["loc"][:1])
            messages.setdefault(key, _message(model, key, problem, owner))
        return messages
    return {}


def build_options(model: type[AnyOptions], options: Mapping[str, Any] | None, owner: str) -> AnyOptions:
    """Build validated options.

    Args:
        model: pydantic model of the options.
        options: values by option name; None or missing names take the defaults.
        owner: component that the options belong to, for error messages, e.g. "target 'rays'".

    Returns:
        The options.

    Raises:
        InputError: if an option is unknown or its value is not allowed; names the first one.
    """
    errors = option_errors(model, options or {}, owner)
    for key, message in errors.items():
        unknown_option = key and key not in model.model_fields
        raise InputError(message if unknown_option else f"{owner}: {message}")
    return model.model_validate(dict(options or {}))


def requirement(field: FieldInfo) -> str | None:
    """Allowed values of a field.

    Args:
        field: a field of a pydantic model.

    Returns:
        A noun phrase such as "an integer from 1 to 6"; None if type and limits do not say it in full.
    """
    annotation: Any = field.annotation
    members = [member for member in get_args(annotation) if member is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(members) == 1:  # an optional value
        (annotation,) = members
    if get_origin(annotation) is Literal:
        return " or ".join(str(value) for value in get_args(annotation))
    nouns = {int: "an integer", float: "a number", bool: "true or false", str: "text"}
    noun = nouns.get(annotation) if isinstance(annotation, type) else None
    if noun is None or (annotation is str and field.metadata):  # a pattern or a length
        return None
    low = next((item for item in field.metadata if isinstance(item, Ge | Gt)), None)
    high = next((item for item in field.metadata if isinstance(item, Le | Lt)), None)
    if isinstance(low, Ge) and isinstance(high, Le):
        limits = [f"from {_number(low.ge)} to {_number(high.le)}"]
    else:
        limits = [sign for item in (low, high) if (sign := _limit(item))]
    phrase = " ".join([noun, " and ".join(limits)]).rstrip()
    step = next((item.multiple_of for item in field.metadata if isinstance(item, MultipleOf)), None)
    return phrase if step is None else f"{phrase} and a multiple of {step}"


def shown(value: Any) -> str:
    """A value for an error message.

    Args:
        value: any value.

    Returns:
        Its representation, shortened in the middle to 100 characters.
    """
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}…{text[-18:]}"


def _limit(item: Any) -> str:
    match item:
        case Ge():
            return f"≥ {_number(item.ge)}"
        case Gt():
            return f"> {_number(item.gt)}"
        case Le():
            return f"≤ {_number(item.le)}"
        case Lt():
            return f"< {_number(item.lt)}"
    return ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value >= 10**6 else f"{value:g}"


def _message(model: type[BaseModel], key: str, problem: Any, owner: str) -> str:
    if problem["type"] == "extra_forbidden":
        return str(unknown(f"option of {owner}", key, model.model_fields))
    if problem["type"] == "missing":
        return f"{key} is missing"
    if not key:
        return str(problem["msg"].removeprefix("Value error, "))
    allowed = None if problem["type"] == "value_error" else requirement(model.model_fields[key])
    if allowed:
        return f"{key} must be {allowed}, got {shown(problem['input'])}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]}, got {shown(problem['input'])}"
