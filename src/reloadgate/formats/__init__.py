"""The forms in which a model is saved: the interface, and which form a file has.

A format is a module with the functions of `Format`. Nothing here imports Keras: a format does, inside `save` and `load`.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from reloadgate.errors import UsageError
from reloadgate.evidence import Artifact, Capability, FormatName, Recipe
from reloadgate.formats import checkpoint, h5, keras_archive, keras_directory, own, saved_model, weights


class Format(Protocol):
    """What every module of this folder has."""

    NAME: FormatName
    FILE: str
    """Name of the artifact inside a version."""
    CAPABILITY: Capability
    """The most that an artifact of this format can do."""
    CANNOT: str
    """What the installed Keras cannot do with it, as a sentence; "" when it can do all."""
    HOLDS_CONFIGURATION: bool
    """Whether `stored_config` has something to read."""
    NEEDS_BUILDER: bool
    """Whether it holds no architecture, so that the user's code makes the model and the artifact fills it."""

    def find(self, directory: Path) -> list[Path]:
        """The artifacts of this format in a directory that other code wrote."""
        ...

    def save(self, model: Any, path: Path) -> Callable[[], object] | None:
        """Save a model. What is returned is still to be called, and writes what takes no more of the model and little of Python:
        in another thread, while the model does other things."""
        ...

    def load(self, path: Path, recipe: Recipe, inputs: Any) -> Any:
        """The model; `inputs` is one batch for models that are built by their first call, None where there is none."""
        ...

    def stored_config(self, path: Path) -> dict[str, Any] | None:
        """The configuration that the artifact holds, as JSON values; None where the format holds none."""
        ...

    def stored_variables(self, path: Path) -> dict[str, str] | None:
        """Digests of the variables that the artifact holds, by storage path, "" of a dtype that HDF5 does not know; None where
        the format has no such paths."""
        ...


FORMATS: dict[str, Format] = {
    module.NAME: module for module in (keras_archive, keras_directory, weights, checkpoint, saved_model, h5, own)
}
"""In the order in which they are written: a legacy .h5 comes last, because Keras 3.15.1 damages the compile settings of the
live model when it writes one."""


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def formats_named(names: Iterable[str]) -> list[Format]:
    """The formats of those names, each once, in the order in which they are to be written."""
    wanted = {format_named(name).NAME for name in names}
    return [form for form in FORMATS.values() if form.NAME in wanted]


def demand_builder(formats: Iterable[str], builder: str | None) -> None:
    """Refuse what could be saved and never be reloaded.

    Raises:
        UsageError: a format that holds no architecture, and no builder.
    """
    needing = [name for name in formats if FORMATS[name].NEEDS_BUILDER]
    if needing and builder is None:
        raise UsageError(
            f"the format {needing[0]} holds no architecture: name the code that makes the model, "
            'builder="module:function", a function without arguments that returns it compiled'
        )


def belongs(artifact: Artifact, file: Path) -> bool:
    """Whether a file of the version, by its path there, is a part of the artifact."""
    if artifact.path == ".":
        return True
    shards = artifact.path.endswith(weights.INDEX) and file.name.endswith(".weights.h5")
    return shards or file.parts[0] == Path(artifact.path).parts[0]


def artifacts_in(directory: Path, loader: str | None) -> tuple[Artifact, ...]:
    """The artifacts of a directory that other code wrote: the one that its loader reads, else those of known formats.

    Raises:
        UsageError: there is none.
    """
    if loader is not None:
        return (Artifact(format=own.NAME, path=".", capability=own.CAPABILITY),)
    found = found_in(directory)
    if not found:
        raise UsageError(
            f"{directory} holds no artifact that reloadgate knows ({_known()}); "
            'name the code that loads it: record(..., loader="module:function")'
        )
    return found


def artifact_at(file: Path) -> Artifact:
    """The artifact that a file is.

    Raises:
        UsageError: it is none.
    """
    for artifact in found_in(file.parent):
        if artifact.path == file.name:
            return artifact
    raise UsageError(f"{file} is no artifact that reloadgate knows ({_known()}): name one, or the directory of a model version")


def found_in(directory: Path) -> tuple[Artifact, ...]:
    """The artifacts of known formats in a directory."""
    return tuple(
        Artifact(format=form.NAME, path=path.relative_to(directory).as_posix(), capability=form.CAPABILITY)
        for form in FORMATS.values()
        for path in form.find(directory)
    )


def _known() -> str:
    return ", ".join(form.FILE for form in FORMATS.values() if form is not own)
