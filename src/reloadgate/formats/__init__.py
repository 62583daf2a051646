"""The forms in which a model is saved: the interface, and which form a file has.

A format is a module with the functions of `Format`. Nothing here imports Keras: a format does, inside `save` and `load`.
"""

from pathlib import Path
from typing import Any, Protocol

from reloadgate.errors import UsageError
from reloadgate.evidence import Artifact, Capability, Recipe
from reloadgate.formats import keras_file, own


class Format(Protocol):
    """What every module of this folder has."""

    NAME: str
    FILE: str
    """Name of the artifact inside a version."""
    CAPABILITY: Capability
    """The most that an artifact of this format can do."""
    CANNOT: str
    """What the installed Keras cannot do with it, as a sentence; "" when it can do all."""

    def save(self, model: Any, path: Path) -> None: ...

    def load(self, path: Path, recipe: Recipe) -> Any: ...

    def stored_config(self, path: Path) -> dict[str, Any] | None:
        """The configuration that the artifact holds, as JSON values; None where the format holds none."""
        ...

    def stored_variables(self, path: Path) -> list[str] | None:
        """The storage paths of the variables that the artifact holds; None where the format has no such paths."""
        ...

    def inspect(self, path: Path) -> list[str]:
        """What is wrong with the artifact, without loading it and without TensorFlow; empty when nothing is."""
        ...


FORMATS: dict[str, Format] = {module.NAME: module for module in (keras_file, own)}


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def artifacts_in(directory: Path, loader: str | None) -> tuple[Artifact, ...]:
    """The artifacts of a directory that other code wrote: the one that its loader reads, else those of known formats.

    Raises:
        UsageError: there is none.
    """
    if loader is not None:
        return (Artifact(format=own.NAME, path=".", requires=own.CAPABILITY),)
    found = tuple(
        Artifact(format=module.NAME, path=path.relative_to(directory).as_posix(), requires=module.CAPABILITY)
        for module in FORMATS.values()
        if module.FILE != "."
        for path in sorted(directory.glob(f"*{Path(module.FILE).suffix}"))
    )
    if not found:
        known = ", ".join(module.FILE for module in FORMATS.values() if module.FILE != ".")
        raise UsageError(
            f"{directory} holds no artifact that reloadgate knows ({known}); "
            'name the code that loads it: record(..., loader="module:function")'
        )
    return found
