"""How settings are declared, read from YAML and overridden with `key=value`."""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dt2it_ray.errors import ConfigError


class Settings(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_settings(
    kind: type[SettingsT],
    path: str | Path | None,
    overrides: Iterable[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> SettingsT:
    """Settings of `kind` from a YAML file, or its defaults, with `key=value` overrides (dotted keys, YAML values).

    `defaults` stand behind what the file says.

    Raises:
        ConfigError: the file is missing or not YAML, an override has no `=`, a key is unknown (the nearest valid
            key is named) or a value is out of range.
    """
    tree = _merged(defaults or {}, {} if path is None else _read_yaml(Path(path)))
    for override in overrides:
        _apply_override(tree, override)
    return parse_settings(kind, tree, where="the command line" if path is None else str(path))


def parse_settings(kind: type[SettingsT], tree: dict[str, Any], where: str) -> SettingsT:
    """Settings of `kind` from plain values; `where` names their origin in error messages."""
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(kind, problem)}" for problem in error.errors())
        raise ConfigError(f"{where} does not fit {kind.__name__}:\n{problems}") from None


def read_json_settings(kind: type[SettingsT], path: Path) -> SettingsT | None:
    """Settings of `kind` from a JSON file; None where there is none. Raises ConfigError where it does not fit."""
    if not path.is_file():
        return None
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None
    return parse_settings(kind, tree, where=str(path))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees as one; where both have a value, that of `above`."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror}. Pass --config FILE.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, not a {type(tree).__name__}")
    return tree


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {override!r} is not of the form key=value, e.g. iterations=2")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"override {override!r}: the value is not valid YAML; quote it") from None
    *groups, last = key.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"override {override!r}: {group!r} is a single value, not a group of settings")
    tree[last] = value


def _explain(kind: type[Settings], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    dotted = ".".join(location)
    if problem["type"] != "extra_forbidden":
        return f"{dotted}: {problem['msg']} (got {problem['input']!r})"
    valid = _keys_at(kind, location[:-1])
    near = difflib.get_close_matches(location[-1], valid, n=1, cutoff=0.0)
    prefix = ".".join([*location[:-1], ""])
    return f"{dotted}: unknown setting; did you mean {prefix}{near[0]}?" if near else f"{dotted}: unknown setting"


def _keys_at(kind: Any, location: list[str]) -> list[str]:
    for part in location:
        if get_origin(kind) in (dict, tuple):
            kind = _without_none(get_args(kind)[get_origin(kind) is dict])
            continue
        field = getattr(kind, "model_fields", {}).get(part)
        kind = _without_none(field.annotation) if field is not None else None
    return list(getattr(kind, "model_fields", {}))


def _without_none(kind: Any) -> Any:
    """The `X` of `X | None`; any other type as it is."""
    kinds = [each for each in get_args(kind) if each is not NoneType]
    return kinds[0] if get_origin(kind) in (Union, UnionType) and len(kinds) == 1 else kind
