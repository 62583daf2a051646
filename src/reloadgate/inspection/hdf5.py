"""An HDF5 file as Keras writes it: groups and datasets of numbers, each reached once and stored in the file itself.

libhdf5 parses in C: this runs in a process with limits of its own.
"""

import contextlib
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from reloadgate.inspection.found import RefusedError, Report, Variable
from reloadgate.inspection.limits import MIB, Limits
from reloadgate.inspection.reading import Source, odd_character

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FILTERS = {1, 2, 3}
"""Deflate, shuffle, Fletcher's checksum: the ones that are part of the library."""
VALUES = 1 << 20
"""Values that are read at once."""
SPARE = 12 << 10
"""Bytes that libhdf5 leaves unused at the ends of its blocks in a file that was written once, at most."""


@contextlib.contextmanager
def opened(source: Source) -> Iterator[Any]:
    """The file, once its first bytes say that it is whole.

    Raises:
        RefusedError: it is no HDF5 file, is cut, or libhdf5 cannot make sense of it.
    """
    import h5py

    _check_superblock(source)
    try:
        with h5py.File(source.stream(), "r") as file:
            yield file
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError, UnicodeError) as error:
        raise RefusedError("h5-damaged", source.name, f"it cannot be read as HDF5: {error}") from None


def _check_superblock(source: Source) -> None:
    """See "Disk Format: Level 0A" of the HDF5 File Format Specification."""
    if not source.size:
        raise RefusedError("empty", source.name, "it has no bytes")
    head = source.read(0, 96)
    if head[:8] != SIGNATURE:
        code = "prefix-bytes" if SIGNATURE in source.read(0, 1 << 16) else "h5-damaged"
        raise RefusedError(code, source.name, "no HDF5 file starts at its first byte")
    version = head[8] if len(head) == 96 else -1
    if version in (0, 1):
        sizes, at = head[13:15], 24 + 4 * version
    elif version in (2, 3):
        sizes, at = head[9:11], 12
    else:
        raise RefusedError("h5-damaged", source.name, f"superblock version {version}")
    if sizes != b"\x08\x08":
        raise RefusedError("h5-damaged", source.name, "offsets that are not of 8 bytes")
    base, _, end = struct.unpack_from("<3Q", head, at)
    if base or end != source.size:
        raise RefusedError("truncated", source.name, f"it says that it has {end} bytes, and has {source.size}")


class Contents:
    """What a file holds: datasets by path, and the names of all groups."""

    def __init__(self, file: Any, source: Source, limits: Limits, report: Report, prefix: str = "") -> None:
        self.datasets: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self._place, self._limits, self._report = source.name, limits, report
        self._seen: set[tuple[int, int]] = set()
        self._prefix = prefix
        self._owned = 0
        self._walk(file, "", 0)
        self.unowned = source.size - self._owned
        """Bytes that no object owns: of what was deleted, or hidden."""

    def _walk(self, group: Any, path: str, depth: int) -> None:
        import h5py

        if depth > min(self._limits.depth, 64):
            raise RefusedError("too-deep", self._at(path), "groups nested too deeply")
        self._once(group, path)
        self._check_attributes(group, path)
        self.groups[path] = group
        if len(group) > self._limits.objects:
            raise RefusedError("too-many", self._at(path), f"{len(group)} objects")
        for name in group:
            inside = f"{path}/{name}" if path else name
            if not isinstance(name, str) or len(name) > self._limits.name or odd_character(name) or name in (".", ".."):
                raise RefusedError("name", self._at(inside[:80]), "the name of an object is too long, or holds what is not shown")
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise RefusedError("h5-feature", self._at(inside), f"a {type(link).__name__}: an object that lies elsewhere")
            one = group[name]
            if isinstance(one, h5py.Group):
                self._walk(one, inside, depth + 1)
            elif isinstance(one, h5py.Dataset):
                self._once(one, inside)
                self._check_attributes(one, inside)
                self._check_dataset(one, inside)
                self.datasets[inside] = one
                dtype = stored_dtype(one)
                self._report.variables.append(Variable(path=self._prefix + inside, shape=one.shape, dtype=dtype))
            else:
                raise RefusedError("h5-feature", self._at(inside), f"a {type(one).__name__}")

    def _once(self, one: Any, path: str) -> None:
        import h5py

        info = h5py.h5o.get_info(one.id)
        if (key := (info.fileno, info.addr)) in self._seen:
            raise RefusedError("h5-feature", self._at(path), "an object that is reached by two names")
        self._seen.add(key)
        meta = info.meta_size
        self._owned += info.hdr.space.total + sum(part.index_size + part.heap_size for part in (meta.obj, meta.attr))
        if len(self._seen) > self._limits.objects:
            raise RefusedError("too-many", self._at(path), f"more than {self._limits.objects} objects")

    def _check_attributes(self, one: Any, path: str) -> None:
        import h5py

        count = h5py.h5a.get_num_attrs(one.id)
        if count > self._limits.attributes:
            raise RefusedError("too-many", self._at(path), f"{count} attributes; the limit is {self._limits.attributes}")
        for number in range(count):
            attribute = h5py.h5a.open(one.id, index=number)
            if attribute.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM):
                raise RefusedError("h5-feature", self._at(path), f"the attribute {attribute.name!r} is neither number nor text")
            size = math.prod(attribute.shape)
            if size > self._limits.objects or size * attribute.get_type().get_size() > self._limits.config:
                raise RefusedError("too-large", self._at(path), f"the attribute {attribute.name!r}")

    def _check_dataset(self, dataset: Any, path: str) -> None:
        import h5py

        created, kind = dataset.id.get_create_plist(), dataset.id.get_type()
        if created.get_external_count() or created.get_layout() == h5py.h5d.VIRTUAL:
            raise RefusedError("h5-feature", self._at(path), "its values lie in other files")
        used = {created.get_filter(number)[0] for number in range(created.get_nfilters())}
        if not used <= FILTERS:
            raise RefusedError("h5-feature", self._at(path), f"packed by filters {sorted(used - FILTERS)}, not HDF5's own")
        opaque = kind.get_class() == h5py.h5t.OPAQUE and kind.get_size() == 2  # bfloat16, which HDF5 has no type for
        number = kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT)
        # HDF5 has no complex numbers: h5py takes two equal floats together for one. Nothing may hide beside them.
        pair = dataset.dtype.kind == "c" and dataset.dtype.itemsize == kind.get_size()
        if not number and not opaque and not pair and dataset.dtype != np.bool_:
            raise RefusedError("h5-feature", self._at(path), "its values are no numbers")
        if dataset.id.get_space().get_simple_extent_type() != h5py.h5s.SIMPLE and dataset.shape != ():
            raise RefusedError("h5-feature", self._at(path), "it has no shape")
        self._owned += dataset.id.get_storage_size()
        declared, stored = math.prod(dataset.shape) * kind.get_size(), dataset.id.get_storage_size()
        if declared > self._limits.expansion * stored or declared > self._limits.file:
            raise RefusedError("declared-size", self._at(path), f"it declares {declared} bytes and stores {stored}")
        chunk = math.prod(dataset.chunks or ()) * kind.get_size()
        if chunk > max(declared, MIB):  # one that may still grow: a single value takes the whole chunk to read
            raise RefusedError("declared-size", self._at(path), f"it declares {declared} bytes, in chunks of {chunk}")

    @property
    def was_cut(self) -> bool:
        """Whether so many bytes belong to nothing that something was deleted from the file after it was written."""
        return self.unowned > SPARE + 64 * len(self._seen) + self._owned // 50

    def _at(self, path: str) -> str:
        return f"{self._place}:{path}"

    def read_all(self, may_be_infinite: Any = lambda path: False) -> None:
        """Read every value, so that checksums are looked at, and find NaN and infinities.

        Args:
            may_be_infinite: for which paths an infinity is only worth a note.
        """
        for path, dataset in self.datasets.items():
            for block in _blocks(dataset):
                if not is_finite(block, stored_dtype(dataset)):
                    say = self._report.note if may_be_infinite(path) else self._report.refuse
                    say("nonfinite", self._at(path), "it holds NaN or an infinity")
                    break


def stored_dtype(dataset: Any) -> str:
    """What Keras takes the values for: HDF5 has no bfloat16, so that Keras names it in an attribute."""
    named = dataset.attrs.get("dtype") if "dtype" in dataset.attrs else None
    return "bfloat16" if isinstance(named, str) and named == "bfloat16" and dataset.dtype.itemsize == 2 else str(dataset.dtype)


def is_finite(values: Any, dtype: str) -> bool:
    if dtype == "bfloat16":
        bits = values.view(np.uint16) if values.dtype.itemsize == 2 else values
        return not bool(((bits & 0x7F80) == 0x7F80).any())
    return values.dtype.kind not in "fc" or bool(np.isfinite(values).all())


def _blocks(dataset: Any) -> Iterator[Any]:
    """The values, some at a time."""
    if dataset.size is None or dataset.size <= VALUES or not dataset.shape:
        yield np.asarray(dataset[()])
        return
    axis, rest = 0, dataset.size // dataset.shape[0]
    prefix: list[tuple[int, ...]] = [()]
    while rest > VALUES and axis + 1 < dataset.ndim:
        prefix = [(*one, number) for one in prefix for number in range(dataset.shape[axis])]
        axis += 1
        rest //= dataset.shape[axis]
    step = max(1, VALUES // max(1, rest))
    for one in prefix:
        for start in range(0, dataset.shape[axis], step):
            yield dataset[(*one, slice(start, start + step))]
