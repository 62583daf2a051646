"""`compare`: every single thing of the evidence is looked at, and said for what it is."""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from builders import (
    ARTIFACT,
    DECODER,
    ENCODER,
    ENVIRONMENT,
    ITERATIONS,
    LARGE,
    MEAN,
    MOMENTUM,
    SEED,
    VOCABULARY,
    Built,
    build,
    values,
)

from reloadgate.comparison import Comparison, Group, Outcome, Row
from reloadgate.evidence import Kind, Note, Observation, ReloadedEvidence, Tried, Variable, Warned
from reloadgate.judge import judge
from reloadgate.policy import Policy
from reloadgate.verdict import Status

QUIET = (Outcome.SAME, Outcome.NOTED, Outcome.SKIPPED)

SHA_TELLS = "SHA-256 is over dtype, shape and bytes, from which this was computed"
SAVED_SIDE = "a noise floor is measured on the saved side alone"
RENAMED = "Keras renames on every reload"

# What may change in the reloaded evidence alone without a row, each with its reason. Nothing else may: a field that nobody
# compares breaks `test_a_change_of_any_single_field_is_noticed`, and so does one that is compared by now.
NOT_COMPARED: dict[str, str] = {}

# What should be compared and is not. Strictly expected to fail: whoever mends one removes its line.
GAPS: dict[str, str] = {}


def changes(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that differs from this one in a single place, and the path of the place."""
    if isinstance(value, StrEnum):
        members = list(type(value))
        yield path, members[(members.index(value) + 1) % len(members)]
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, str):
        yield path, Group.WEIGHTS if path.endswith(".group") else f"{value}x"
    elif isinstance(value, (int, float)):
        yield path, value + 1
    elif isinstance(value, dict):
        yield from _changed_items(value, path)
    elif isinstance(value, (tuple, list)):
        yield from _changed_elements(value, path)
    elif dataclasses.is_dataclass(value):
        hints = get_type_hints(type(value))
        for field in dataclasses.fields(value):
            old, place = getattr(value, field.name), f"{path}.{field.name}".lstrip(".")
            for where, new in changes(old, place):
                yield where, replace(value, **{field.name: new})
            if old is not None and type(None) in getattr(hints[field.name], "__args__", ()):
                yield f"{place} lost", replace(value, **{field.name: None})


def _changed_items(value: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, old in value.items():
        for where, new in changes(old, f"{path}.{key}"):
            yield where, value | {key: new}
        yield f"{path}.{key} dropped", {k: v for k, v in value.items() if k != key}
    yield f"{path} with another key", value | {"another": 1}


def _changed_elements(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    make = type(value)
    for at, old in enumerate(value):
        place = f"{path}[{getattr(old, 'kind', None) or getattr(old, 'group', '')}]"
        for where, new in changes(old, place):
            yield where, make((*value[:at], new, *value[at + 1 :]))
        yield f"{place} dropped", make((*value[:at], *value[at + 1 :]))
    another = next(islice(changes(value[-1]), 1), None) if value else None
    if another:
        yield f"{path} with another", make((*value, another[1]))


def loud(comparison: Comparison) -> set[Row]:
    return {row for row in comparison.rows if row.outcome is not Outcome.SAME}


def test_explore(tmp_path):
    built = build(tmp_path)
    base = loud(built.compare())
    un, crash = set(), set()
    n = 0
    for path, ch in changes(built.reloaded):
        n += 1
        try:
            c = built.compare_with(ch)
            if judge(c, Policy()).status is Status.PASS and not loud(c) - base:
                un.add(path)
        except Exception as e:
            crash.add((path, repr(e)[:150]))
    print(n)
    for p in sorted(un): print("UN", p)
    for p in sorted(crash): print("CRASH", p)
