"""Settings of the user's, read strictly: a mistyped key is an error with a "did you mean"."""

import dataclasses
import difflib
import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from reloadgate.errors import UsageError
from reloadgate.nouns import reader_of

T = TypeVar("T")


def strictly(cls: type[T], settings: Mapping[str, Any], section: str) -> T:
    """A noun of settings from a mapping; what the mapping leaves out has its default.

    Args:
        section: what the settings are called in messages.

    Raises:
        UsageError: an unknown key, or a value that is impossible.
    """
    from pydantic import ValidationError

    try:
        # As JSON, because strict reading of Python values takes no enum by its value. NaN is refused by name.
        made: T = reader_of(cls).validate_json(json.dumps(settings, default=str), strict=True)
    except ValidationError as error:
        raise UsageError(f"{section}: " + "; ".join(_explained(cls, one) for one in error.errors())) from None
    return made


def _explained(cls: Any, error: Mapping[str, Any]) -> str:
    location = [str(part) for part in error["loc"]]
    place = ".".join(location)
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = _settings_under(cls, location[:-1])
        close = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}?" if close else f"it knows {', '.join(known)}"
        return f"there is no setting {place}; {hint}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _settings_under(cls: Any, location: list[str]) -> list[str]:
    for name in location:
        cls = {field.name: field.type for field in dataclasses.fields(cls)}[name]
        cls = next((one for one in get_args(cls) if dataclasses.is_dataclass(one)), cls)  # a section that may be left out
    return [field.name for field in dataclasses.fields(cls)]
