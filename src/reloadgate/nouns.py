"""How every record of reloadgate is declared, written and read.

A noun is a frozen dataclass. Its JSON is canonical (sorted keys, no NaN, no infinity), carries `schema_version` where it
is a file, and is read strictly: unknown keys, duplicate keys and wrong types are refused with the path of the offender.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from reloadgate.errors import UnreadableRecordError
from reloadgate.files import read_regular, write_atomically

SCHEMA_VERSION = "1.0"
"""major.minor of every file reloadgate writes: another major is refused, a newer minor is read when it fits."""

MOST = 256 << 20
"""Bytes of a record: far more than the largest model has rows for, and less than fills a machine."""

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def noun(cls: type[T]) -> type[T]:
    """Declare a record: frozen, keyword-only, slotted, and strict when read."""
    made: type[T] = dataclass(frozen=True, kw_only=True, slots=True)(cls)
    made.__pydantic_config__ = {"extra": "forbid", "strict": True, "allow_inf_nan": False}  # type: ignore[attr-defined]
    return made


_adapters: dict[Any, Any] = {}


def reader_of(cls: Any) -> Any:
    """Pydantic's reader and writer of a record; half a second for the largest ones, once a process."""
    from pydantic import TypeAdapter

    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


def to_dict(record: Any) -> Any:
    """The record as plain JSON values; the inverse of `from_dict`."""
    return reader_of(type(record)).dump_python(record, mode="json")


def from_dict(cls: type[T], data: Any, where: str = "", raw: bytes | None = None) -> T:
    """Read a record strictly.

    Args:
        raw: the data's canonical JSON, where the caller has made it already (`readable`).

    Raises:
        UnreadableRecordError: an unknown, missing or mistyped field; the message names its path.
    """
    from pydantic import ValidationError

    _check_schema(data, where)
    try:
        made: T = reader_of(cls).validate_json(raw or readable(data, where or cls.__name__), strict=True)
    except ValidationError as error:
        problems = "; ".join(_problem(e["loc"], e["msg"]) for e in error.errors()[:5])
        raise UnreadableRecordError(f"{where or cls.__name__}: not a {cls.__name__}: {problems}") from None
    return made


def readable(data: Any, where: str) -> bytes:
    """The canonical JSON of what was read, which refuses 1e999 and lone surrogates: JSON has words for them, records have not.

    Raises:
        UnreadableRecordError: there is such a value in it.
    """
    try:
        return canonical(data)
    except (ValueError, UnicodeError) as error:
        raise UnreadableRecordError(f"{where}: it holds a value that no record has: {error}") from None


def _problem(location: Iterable[str | int], message: str) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return f"{path}: {message}"


def _check_schema(data: Any, where: str) -> None:
    if not isinstance(data, dict) or "schema_version" not in data:
        return
    theirs = str(data["schema_version"])
    if theirs.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise UnreadableRecordError(
            f"{where}: schema {theirs} is not one that this reloadgate reads ({SCHEMA_VERSION}); "
            "use the release of reloadgate that wrote it, or record again"
        )


def canonical(data: Any) -> bytes:
    """JSON bytes that are the same wherever the data are the same: sorted keys, no spaces, no NaN."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(data: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(data)).hexdigest()


def indented(data: Any) -> bytes:
    """JSON for people and for git: sorted and indented."""
    from pydantic_core import to_json  # `json` indents in Python, ten times slower

    return to_json(json.loads(canonical(data)), indent=1) + b"\n"


def write_json(path: Path, data: Any) -> None:
    """Write JSON for people and for git, published by an atomic rename."""
    write_atomically(path, indented(data))


def read_record(cls: type[T], path: Path) -> T:
    """Read a file that holds one record; raises as `read_json` and `from_dict` do."""
    return from_dict(cls, read_json(path), str(path))


def read_json(path: Path) -> Any:
    """Read JSON that names no key twice and holds no NaN.

    Raises:
        UnreadableRecordError: the file is missing, or is not such JSON.
    """
    try:
        return json.loads(read_regular(path, MOST), object_pairs_hook=_unique, parse_constant=_no_constant)
    except FileNotFoundError:
        raise UnreadableRecordError(f"{path} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableRecordError(f"{path} cannot be read as JSON: {error}") from None


def json_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object as Keras writes it: NaN and infinities, which JSON has no word for, become text.

    Raises:
        ValueError: it is no JSON object.
    """
    data = json.loads(text, parse_constant=str, object_hook=_without_addresses)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    return data


def _without_addresses(data: dict[str, Any]) -> dict[str, Any]:
    """Keras numbers shared objects by their address in memory, which says nothing."""
    data.pop("shared_object_id", None)
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = sorted({key for key, _ in pairs if key in seen or seen.add(key)})  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[0]!r} appears twice")
    return made


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
