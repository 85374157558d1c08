"""Plain values made into structs, with every problem found instead of only the first.

`msgspec.convert` stops at the first mismatch and may quote the value. Here sections, providers and list items are
converted one by one; each problem says where, what was expected and the way out, and never shows a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import yaml

from gateway.core.document import Path, Problem, Sourced
from gateway.settings import SECRET_FIELDS

BAD: Any = object()
"""What stands for a value that had a problem."""


def conform(kind: Any, value: Any, problems: list[Problem], at: Path = (), *, secret: bool = False) -> Any:
    """`value` as a `kind`, with what is wrong with it appended to `problems`.

    What was wrong is left at its default, so that the rest can be checked further; BAD comes back where nothing is
    left to stand on. Text is read leniently (`"4000"` is a number where a number is wanted), since all that comes from
    the environment is text; lists and maps may come as YAML or JSON text from there. `secret`: not to be shown.
    """
    options = _alternatives(kind)
    struct = next((o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)), None)
    mapping = next((o for o in options if get_origin(o) is dict), None)
    sequence = next((o for o in options if get_origin(o) is list), None)
    if struct or mapping or sequence:
        value = unpacked(value, text_is_meant=str in options)
        if value is None and NoneType not in options:
            value = {} if struct or mapping else []  # a section with everything commented out
    if isinstance(value, Mapping) and struct:
        return _struct(struct, value, problems, at)
    if isinstance(value, Mapping) and mapping:
        return _mapping(get_args(mapping)[1], value, problems, at, secret)
    if isinstance(value, list) and sequence:
        return _sequence(get_args(sequence)[0], value, problems, at, secret)
    return _leaf(kind, value, problems, at, secret or struct is not None)  # `openai: sk-…` is soon written


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The members of a union, with annotations taken off."""
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(option for member in get_args(kind) for option in _alternatives(member))
    return (kind,)


def unpacked(value: Any, *, text_is_meant: bool = False) -> Any:
    """Text from the environment that holds a list or a map as YAML or JSON: that list or map; all else as it is."""
    if not isinstance(value, Sourced) or (text_is_meant and not value.startswith(("[", "{"))):
        return value
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        return value
    return _marked(parsed, value.source) if isinstance(parsed, (dict, list)) else value


def _marked(value: Any, source: str) -> Any:
    if isinstance(value, dict):
        return {str(key): _marked(item, source) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item, source) for item in value]
    return Sourced.make(value, source) if isinstance(value, str) else value


def _struct(kind: type[msgspec.Struct], value: Mapping[str, Any], problems: list[Problem], at: Path) -> Any:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    made = {}
    for name, item in value.items():
        if name not in fields:
            problems.append(Problem((*at, name), unknown("setting", name, fields)))
            continue
        made[name] = conform(fields[name].type, item, problems, (*at, name), secret=name in SECRET_FIELDS)
    for name, field in fields.items():
        if field.required and name not in value:
            problems.append(Problem((*at, name), f"is missing; it is {_described(field.type)}"))
    made = {name: item for name, item in made.items() if item is not BAD}
    return kind(**made) if all(name in made for name, field in fields.items() if field.required) else BAD


def _mapping(kind: Any, value: Mapping[str, Any], problems: list[Problem], at: Path, secret: bool) -> Any:
    made = {name: conform(kind, item, problems, (*at, name), secret=secret) for name, item in value.items()}
    return {name: item for name, item in made.items() if item is not BAD}


def _sequence(kind: Any, value: list[Any], problems: list[Problem], at: Path, secret: bool) -> Any:
    made = [conform(kind, item, problems, (*at, index), secret=secret) for index, item in enumerate(value)]
    return [] if any(item is BAD for item in made) else made  # a shorter list would number its items wrongly


def _leaf(kind: Any, value: Any, problems: list[Problem], at: Path, secret: bool) -> Any:
    plain = str(value) if isinstance(value, Sourced) else value
    try:
        return msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError:
        hint = "; write it in quotes" if _is_unquoted_text(kind, plain) else _did_you_mean(kind, plain)
        problems.append(Problem(at, f"{_shown(value, secret)} is not {_described(kind)}{hint}"))
        return BAD


def _is_unquoted_text(kind: Any, value: Any) -> bool:
    return str in _alternatives(kind) and isinstance(value, (bool, int, float))


def _did_you_mean(kind: Any, value: Any) -> str:
    choices = [str(c) for option in _alternatives(kind) if get_origin(option) is Literal for c in get_args(option)]
    close = get_close_matches(str(value), choices, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(value: Any, secret: bool) -> str:
    if isinstance(value, Sourced):
        return f"the value of {value.source}"
    if secret:
        return "the value"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def unknown(noun: str, name: str, among: Mapping[str, Any] | list[str]) -> str:
    """`is no setting; did you mean port?`, or all there are when nothing is near."""
    close = get_close_matches(name, list(among), n=1)
    way_out = f"did you mean {close[0]}?" if close else f"there are: {', '.join(among)}"
    return f"is no {noun}; {way_out}"


def _described(kind: Any) -> str:
    return _in_words(msgspec.inspect.type_info(kind))


def _in_words(kind: msgspec.inspect.Type) -> str:
    match kind:
        case msgspec.inspect.Metadata():
            return _in_words(kind.type)
        case msgspec.inspect.UnionType():
            return " or ".join(dict.fromkeys(_in_words(member) for member in kind.types))
        case msgspec.inspect.LiteralType():
            return f"one of {', '.join(str(value) for value in kind.values)}"
        case msgspec.inspect.IntType():
            return "a whole number" + _range(kind)
        case msgspec.inspect.FloatType():
            return "a number" + _range(kind)
        case msgspec.inspect.StrType():
            return "text" + (f" of at least {kind.min_length} characters" if kind.min_length else "")
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.NoneType():
            return "null"
        case msgspec.inspect.ListType():
            return f"a list (of {_in_words(kind.item_type)})"
        case msgspec.inspect.DictType():
            return f"a map (from names to {_in_words(kind.value_type)})"
    return "a map of settings"


def _range(kind: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    if kind.ge is not None:
        return f" of at least {kind.ge}"
    return f" above {kind.gt}" if kind.gt is not None else ""
