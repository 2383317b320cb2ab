"""What makes a result the result it is: a hash of the stage, its settings and its inputs, and of nothing else."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

FINGERPRINT_LENGTH = 16


def fingerprint(stage: str, version: int, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """A short hash of the stage's name and version, its settings and its inputs' fingerprints.

    Raises:
        TypeError: a setting is not plain JSON (null, bool, int, finite float, str, list, str-keyed mapping).
    """
    identity = {"stage": stage, "version": version, "settings": dict(settings), "inputs": dict(inputs)}
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:FINGERPRINT_LENGTH]


def canonical_json(value: Any) -> str:
    """The one JSON text of a plain value: sorted keys, no spaces. Raises TypeError rather than guess."""
    _check_plain(value, "$")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Lines `key: old -> new` for every setting in which two trees differ, in key order."""
    lines = []
    for key in sorted(set(old) | set(new)):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += differences(before, after, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key}: {json.dumps(before)} -> {json.dumps(after)}")
    return lines


def _check_plain(value: Any, where: str) -> None:
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where} is {value}, which has no place in a fingerprint")
    elif isinstance(value, list | tuple):
        for index, element in enumerate(value):
            _check_plain(element, f"{where}[{index}]")
    elif isinstance(value, Mapping):
        for key, element in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}; only strings can be fingerprinted")
            _check_plain(element, f"{where}.{key}")
    else:
        raise TypeError(f"{where} is a {type(value).__name__}; only plain JSON values can be fingerprinted")
