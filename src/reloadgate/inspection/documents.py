"""JSON that every parser reads alike, and that no parser chokes on."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from reloadgate.inspection.found import RefusedError
from reloadgate.inspection.limits import Limits

_TOKENS = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)


class Unusual(float):
    """NaN or an infinity: Keras writes them, but JSON has no word for them."""


def parsed(raw: bytes, place: str, most: int, limits: Limits) -> dict[str, Any]:
    """A JSON object.

    Args:
        most: bytes that it may have.

    Raises:
        RefusedError: it is no JSON object, or is larger, deeper or more than the limits; keys that appear twice; numbers
            with more digits than a number of a model has.
    """
    if len(raw) > most:
        raise RefusedError("too-large", place, f"{len(raw)} bytes, and the limit is {most}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError("utf8", place, f"no UTF-8: {error.reason} at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise RefusedError("utf8", place, "it starts with a byte order mark")
    _check_structure(text, place, limits)

    def integer(digits: str) -> int:
        if len(digits.lstrip("-")) > limits.digits:
            raise RefusedError("json-number", place, f"an integer of {len(digits)} digits")
        return int(digits)

    def real(digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            raise RefusedError("json-number", place, f"the number {digits[:20]} is too large")
        return value

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise RefusedError("duplicate-key", place, f"a key appears twice in {{{', '.join(k for k, _ in pairs[:5])}}}")
        return made

    try:
        data = json.loads(text, parse_int=integer, parse_float=real, parse_constant=Unusual, object_pairs_hook=unique)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode("utf-8")  # refuses halves of characters, which only escapes can write
    except (ValueError, RecursionError) as error:
        raise RefusedError("json", place, f"no JSON: {error}") from None
    if not isinstance(data, dict):
        raise RefusedError("json", place, "no JSON object")
    return data


def _check_structure(text: str, place: str, limits: Limits) -> None:
    """Depth and number of values, before a parser recurses into them."""
    depth = values = 0
    for token in _TOKENS.finditer(text):
        character = text[token.start()]
        if character in "[{":
            depth += 1
            values += 1
            if depth > limits.depth:
                raise RefusedError("too-deep", place, f"nested deeper than {limits.depth}")
        elif character in "]}":
            depth -= 1
        elif character == ",":
            values += 1
        if values > limits.values:
            raise RefusedError("too-many", place, f"more than {limits.values} values")


def walk(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value inside a document with its path, outermost first."""
    waiting = [(path, value)]
    while waiting:
        here, one = waiting.pop()
        yield here, one
        if isinstance(one, dict):
            waiting.extend(((*here, key), item) for key, item in reversed(one.items()))
        elif isinstance(one, list):
            waiting.extend(((*here, number), one[number]) for number in reversed(range(len(one))))
