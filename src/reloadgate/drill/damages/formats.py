"""Files of one format, or of several, that do not belong together."""

import shutil

import numpy as np

from reloadgate.drill.contents import content, held
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.damage import Declared, Scope
from reloadgate.drill.trials import Area
from reloadgate.formats import checkpoint, h5, keras_archive, saved_model, weights

DAMAGES = damage = Declared(Area.FORMATS)
SIBLINGS = sibling = Declared(Area.FORMATS, Scope.SIBLINGS)


def _of(copy: Copy, *names: str) -> None:
    if copy.artifact.format not in names:
        raise DoesNotApplyError(f"it is no artifact of the format {' or '.join(names)}")


@damage("the pointer names an older step", "the file `checkpoint` was copied, or kept, from before", "4.2")
def _older_pointer(copy: Copy) -> None:
    _of(copy, checkpoint.NAME)
    state = copy.path / checkpoint.STATE
    latest = _prefixes(copy)[0]
    copy.write(state, state.read_bytes().replace(latest.encode(), b"ckpt-0"))


@damage("the pointer is missing", "only the numbered files were copied, of two checkpoints", "4.2")
def _no_pointer(copy: Copy) -> None:
    _of(copy, checkpoint.NAME)
    prefix = _prefixes(copy)[0]
    for path in list(copy.path.glob(f"{prefix}.*")):
        shutil.copyfile(path, path.with_name(path.name.replace(prefix, "ckpt-0", 1)))
    (copy.path / checkpoint.STATE).unlink()


@damage("the index is missing", "a pattern that named the data alone", "4.5")
def _no_index(copy: Copy) -> None:
    _of(copy, checkpoint.NAME, saved_model.NAME)
    next(path for path in copy.files if path.suffix == ".index").unlink()


@damage("a shard is missing", "shards were copied one by one, and one was forgotten", "Files: shards")
def _no_shard(copy: Copy) -> None:
    _of(copy, checkpoint.NAME, saved_model.NAME, weights.NAME)
    shards = [path for path in copy.files if ".data-" in path.name]
    if copy.artifact.path.endswith(weights.INDEX):
        shards = [path for path in copy.files if path.name.endswith(".weights.h5")]
    if not shards:
        raise DoesNotApplyError("it has no shards")
    shards[-1].unlink()


@damage("the graph is missing", "variables were copied without the graph", "4.5")
def _no_graph(copy: Copy) -> None:
    _of(copy, saved_model.NAME)
    (copy.path / saved_model.GRAPH).unlink()


@damage("assets are missing", "a vocabulary was not copied with the graph", "Keras: vocabularies")
def _no_assets(copy: Copy) -> None:
    _of(copy, saved_model.NAME)
    found = [path for path in copy.files if path.parent.name == "assets"]
    if not found:
        raise DoesNotApplyError("it has no assets")
    found[0].unlink()


@damage("another format under its name", "saved by other code, which went by another suffix", "4.3")
def _other_format(copy: Copy) -> None:
    """A weights file in place of an archive, or an archive in place of a weights file: Keras looks at the name."""
    _of(copy, keras_archive.NAME, weights.NAME, h5.NAME)
    for other in copy.original.saved.artifacts:
        path = copy.original.version / other.path
        if other.path != copy.artifact.path and path.is_file() and copy.path.is_file():
            copy.write(copy.path, path.read_bytes())
            return
    raise DoesNotApplyError("its version has no artifact of another format")


@sibling("a sibling of another moment", "one of two formats was written again, and the other was not", "Files: generations")
def _stale_sibling(copy: Copy) -> None:
    """The last artifact whose values can be reached is moved a little."""
    if len(copy.artifacts) < 2:
        raise DoesNotApplyError("its version has one artifact")
    before = content(copy)
    for artifact in reversed(copy.artifacts):
        try:
            _move(copy.only(artifact))
        except DoesNotApplyError:
            continue
        if content(copy) != before:
            return
    raise DoesNotApplyError("none of its artifacts is one whose values can be reached without TensorFlow")


def _move(copy: Copy) -> None:
    with held(copy) as variables:
        for variable in variables.trained():
            variables[variable.key] = np.multiply(variables[variable.key], 0.99, dtype=variables[variable.key].dtype)


@sibling("a sibling is missing", "one of two formats was not copied", "4.5")
def _no_sibling(copy: Copy) -> None:
    if len(copy.artifacts) < 2:
        raise DoesNotApplyError("its version has one artifact")
    for path in copy.only(copy.artifacts[-1]).files:
        path.unlink()


def _prefixes(copy: Copy) -> list[str]:
    return sorted(path.name.removesuffix(".index") for path in copy.path.glob("*.index"))
