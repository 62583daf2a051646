"""What an artifact may be: set by the user in `params.yaml`, section `inspect`, never by the artifact."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from reloadgate.errors import UsageError
from reloadgate.nouns import noun

MIB = 1 << 20
GIB = 1 << 30


@noun
class Limits:
    file: int = 4 * GIB
    """Bytes of one file, and of all that an archive or a directory holds when it is unpacked."""
    members: int = 1000
    """Members of an archive, files of a directory."""
    ratio: int = 200
    """Largest unpacked size by stored size of a member above 1 MiB."""
    config: int = 64 * MIB
    """Bytes of `config.json`, and of the JSON that other formats hold."""
    metadata: int = 64 << 10
    """Bytes of `metadata.json`, of a checkpoint's state file, of the header of an array."""
    depth: int = 200
    """Nesting of JSON and of HDF5 groups."""
    values: int = 2_000_000
    """Values in a JSON document."""
    digits: int = 20
    """Digits of an integer in JSON."""
    layers: int = 2000
    name: int = 300
    """Characters of a name inside an artifact."""
    objects: int = 100_000
    """Objects of an HDF5 file, entries of a checkpoint, nodes of a graph."""
    expansion: int = 1000
    """Largest declared size by stored size of a dataset."""
    attributes: int = 200
    """Attributes of one HDF5 object."""
    memory: int = 4 * GIB
    """Bytes of address space that inspecting one artifact may take."""
    seconds: int = 120
    """CPU time of the process that inspects; it is stopped after twice as much wall time."""
    operations: tuple[str, ...] = ()
    """TensorFlow operations that a SavedModel may use beyond those of the table: the user's own, by name."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name != "operations" and getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}, and a limit is above 0")


def limits_from(settings: Mapping[str, Any] | None) -> Limits:
    """The limits of a mapping; what it does not name is the default.

    Raises:
        UsageError: an unknown key (with a "did you mean"), or a value that is no whole number above 0.
    """
    known = [field.name for field in dataclasses.fields(Limits)]
    for key, value in (settings or {}).items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.4)
            hint = f"did you mean {close[0]}?" if close else f"it knows {', '.join(known)}"
            raise UsageError(f"inspect: there is no setting {key}; {hint}")
        if key == "operations":
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise UsageError(f"inspect: operations: a list of names, such as [AcmeMoments], not {value!r}")
        elif isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise UsageError(f"inspect: {key}: a limit is a whole number above 0, not {value!r}")
    given = dict(settings or {})
    return Limits(**given | {"operations": tuple(given.get("operations", ()))})
