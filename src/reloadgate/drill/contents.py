"""What lies inside an artifact, read and changed without TensorFlow: archive members, configuration, variables."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from reloadgate.arrays import Kept
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.tensors import Tensors, Values
from reloadgate.evidence import Kind, Variable
from reloadgate.formats import checkpoint, h5, keras_archive, keras_directory, saved_model, weights
from reloadgate.ndarrays import array_digest

if TYPE_CHECKING:
    import h5py

METADATA, CONFIG, WEIGHTS = keras_archive.MEMBERS
LEGACY_CONFIG = "model_config"


# Members


def members(copy: Copy) -> dict[str, bytes]:
    """The members of a `.keras` archive or directory, in their order."""
    if copy.artifact.format == keras_archive.NAME:
        with zipfile.ZipFile(copy.path) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    if copy.artifact.format == keras_directory.NAME:
        return {path.relative_to(copy.path).as_posix(): path.read_bytes() for path in copy.files}
    raise DoesNotApplyError(f"a {copy.artifact.format} artifact has no members")


def write_members(copy: Copy, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """Write all members; an archive's checksums are right."""
    if copy.artifact.format == keras_directory.NAME:
        for path in copy.files:
            path.unlink()
        for name, content in contents.items():
            copy.write(copy.path / name, content)
        return
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    copy.write(copy.path, buffer.getvalue())


@contextmanager
def configuration(copy: Copy) -> Iterator[dict[str, Any]]:
    """The configuration that the artifact holds, written back when the block ends."""
    if copy.artifact.format == h5.NAME:
        with hdf5(copy) as file:
            config = json.loads(file.attrs[LEGACY_CONFIG])
            yield config
            file.attrs[LEGACY_CONFIG] = json.dumps(config)
        return
    if copy.artifact.format not in (keras_archive.NAME, keras_directory.NAME):
        raise DoesNotApplyError(f"a {copy.artifact.format} artifact holds no configuration")
    contents = members(copy)
    config = json.loads(contents[CONFIG])
    yield config
    write_members(copy, contents | {CONFIG: json.dumps(config).encode()})


# Variables


@contextmanager
def hdf5(copy: Copy) -> Iterator["h5py.File"]:
    """The HDF5 file that holds the variables, written back when the block ends; checksums around it are right."""
    import h5py

    contents = {}
    match copy.artifact.format:
        case keras_archive.NAME | keras_directory.NAME:
            contents = members(copy)
            raw = contents[WEIGHTS]
        case weights.NAME | h5.NAME if copy.path.suffix != ".json":
            raw = copy.path.read_bytes()
        case _:
            raise DoesNotApplyError(f"a {copy.artifact.format} artifact keeps its variables in no single HDF5 file")
    buffer = io.BytesIO(raw)
    with h5py.File(buffer, "r+") as file:
        yield file
    if contents:
        write_members(copy, contents | {WEIGHTS: buffer.getvalue()})
    else:
        copy.write(copy.path, buffer.getvalue())


class Held:
    """The variables that an artifact holds, by the storage paths of the evidence."""

    def __init__(self, names: Mapping[Variable, Sequence[str]], store: Any) -> None:
        self._store = store
        self._names = {variable.key: places for variable, places in names.items()}
        """Where each lies, once or more."""
        self.variables = {variable.key: variable for variable in names}

    @property
    def file(self) -> "h5py.File":
        """The HDF5 file, to change what it holds.

        Raises:
            DoesNotApplyError: the variables lie in no such file.
        """
        if isinstance(self._store, Tensors):
            raise DoesNotApplyError("of a bundle the values are changed, and not what it holds")
        file: h5py.File = self._store
        return file

    def of(self, test: Callable[[Variable], bool], lacking: str) -> list[Variable]:
        """The variables that pass a test, largest first.

        Raises:
            DoesNotApplyError: there are none; the artifact is `lacking` them.
        """
        found = [variable for variable in self.variables.values() if test(variable)]
        if not found:
            raise DoesNotApplyError(f"it has no {lacking}")
        return sorted(found, key=lambda variable: -int(np.prod(variable.value.shape)))

    def trained(self) -> list[Variable]:
        return self.of(is_trained, "trainable variable")

    def swap(self, candidates: list[Variable]) -> None:
        """Let the first two of one shape, with other values, change places.

        Raises:
            DoesNotApplyError: there are none.
        """
        for one, other in combinations(candidates, 2):
            if one.value.shape == other.value.shape and one.value.sha256 != other.value.sha256:
                self[one.key], self[other.key] = self[other.key], self[one.key]
                return
        raise DoesNotApplyError("no two of them have one shape and other values")

    def is_twice(self, key: str) -> bool:
        """Whether the artifact holds a variable a second time."""
        return len(self._names[key]) > 1

    def name(self, key: str) -> str:
        """The path of the dataset or tensor."""
        return self._names[key][0]

    def __getitem__(self, key: str) -> Values:
        return np.asarray(self._store[self.name(key)])

    def __setitem__(self, key: str, values: Values) -> None:
        """Give a variable other values of its own shape and dtype, in every place where it lies."""
        for place in range(len(self._names[key])):
            self.put(key, place, values)

    def put(self, key: str, place: int, values: Values) -> None:
        """Give a variable other values in one of the places where it lies."""
        name = self._names[key][place]
        if isinstance(self._store, Tensors):
            self._store[name] = values
        else:
            self._store[name][...] = values


@contextmanager
def held(copy: Copy) -> Iterator[Held]:
    """The variables of the artifact, written back when the block ends."""
    observed = copy.original.saved.observation
    if copy.artifact.format in (checkpoint.NAME, saved_model.NAME):
        tensors = Tensors(copy)
        yield Held(_by_value(observed.variables, tensors), tensors)
        tensors.write()
        return
    with hdf5(copy) as file:
        yield Held(_by_path((*observed.variables, *observed.assets), _datasets(file)), file)


def _by_path(variables: Iterable[Variable], names: set[str]) -> dict[Variable, list[str]]:
    """The datasets of each variable; those of a slot also where the file holds it a second time."""
    found = {}
    for variable in variables:
        name = variable.key if variable.key in names else _legacy_name(variable, names)
        if name is not None:
            found[variable] = [name, *(key for key in variable.also if key in names)]
    for slot in (one for one in found if one.kind is Kind.SLOT):
        found[slot] += [found[other][0] for other in found if _is_twin(slot, other)]
    return found


def _by_value(variables: Iterable[Variable], tensors: Tensors) -> dict[Variable, list[str]]:
    """The tensors that hold each variable's bits: a bundle goes by the Python attributes of whoever saved it.

    Bits that several variables have are left alone: which tensor is whose cannot be told.
    """
    names: dict[str, list[str]] = {}
    for name in tensors.names:
        names.setdefault(array_digest(tensors[name]), []).append(name)
    owners: dict[str, list[Variable]] = {}
    for variable in variables:
        owners.setdefault(variable.value.sha256, []).append(variable)
    return {one: names[digest] for digest, (one, *others) in owners.items() if digest in names and not others}


def is_trained(variable: Variable) -> bool:
    return variable.kind is Kind.WEIGHT and variable.trainable and "float" in variable.value.dtype


def _is_twin(slot: Variable, other: Variable) -> bool:
    """Whether a value that is stored beside the variables is the slot: of an optimizer within another, Keras stores all twice."""
    within = slot.key.split("/vars/")[0] + "/"
    return other.kind is Kind.ASSET and other.key.startswith(within) and other.value.sha256 == slot.value.sha256


def moved(variable: Variable) -> bool:
    """Whether the evidence has what the recorded steps made of it: the same variable at another moment."""
    final = variable.final
    return final is not None and final.kept is Kept.VALUES and final.sha256 != variable.value.sha256


def later(copy: Copy, variable: Variable) -> Values:
    """The values that the recorded steps made of a variable that they `moved`."""
    assert variable.final is not None
    return copy.original.arrays.get(variable.final)


def _datasets(file: "h5py.File") -> set[str]:
    import h5py

    found = set()
    file.visititems(lambda name, item: found.add(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _legacy_name(variable: Variable, names: set[str]) -> str | None:
    """A legacy `.h5` goes by the variables' own paths, below the layer or the optimizer."""
    fitting = [name for name in names if name.endswith(f"/{variable.path}")]
    return fitting[0] if len(fitting) == 1 else None


# Sameness


def content(copy: Copy) -> dict[str, str]:
    """Digests of everything that a loader reads of the copy's artifacts: how it is packed is not among it.

    Two artifacts of the same content are the same model: members and datasets are the same bits, JSON the same values.
    """
    found: dict[str, str] = {}
    for path in sorted(copy.version.rglob("*")):
        name = path.relative_to(copy.version).as_posix()
        if path.is_file() and not name.startswith(f"{copy.evidence.name}/"):
            found.update({f"{name}:{part}": digest for part, digest in _parts(path.name, path.read_bytes())})
    return found


def _parts(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """The parts of a file by name, as deep as it can be taken apart; a file that is damaged is one part."""
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                entries = list(enumerate(archive.infolist()))
                twice = {e.filename for n, e in entries for other, o in entries if other < n and o.filename == e.filename}
                inner = [
                    (f"{entry.filename}{number if entry.filename in twice else ''}:{part}", one)
                    for number, entry in entries
                    for part, one in _parts(entry.filename, archive.read(entry))
                ]
            yield from inner
            return
        if name.endswith((".h5", ".hdf5")):
            yield from list(_hdf5_parts(data))
            return
        if name.endswith(".json"):
            data = json.dumps(json.loads(data), sort_keys=True).encode()
    except (OSError, ValueError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        pass
    yield "", hashlib.sha256(data).hexdigest()


def _hdf5_parts(data: bytes) -> Iterator[tuple[str, str]]:
    import h5py

    found: list[tuple[str, str]] = []

    def look(name: str, item: Any) -> None:
        attributes = "".join(f"{key}={value!r}" for key, value in sorted(item.attrs.items()))
        values = f"{item.dtype}{item.shape}".encode() + np.asarray(item).tobytes() if isinstance(item, h5py.Dataset) else b""
        found.append((name, hashlib.sha256(attributes.encode() + values).hexdigest()))

    with h5py.File(io.BytesIO(data)) as file:
        look("", file)
        file.visititems(look)
    yield from found
