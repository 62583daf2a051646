"""The probe: the batch of real inputs (and targets) that the model is observed on, kept as bytes.

Inputs may be nested (dicts, lists, tuples); a leaf is an array whose first axis is the batch. On disk a probe is one `.npz`
whose member `structure` is the JSON of the nesting, with the name of a member at every leaf. Ragged tensors are leaves too.
"""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from reloadgate.arrays import open_npz
from reloadgate.errors import UnreadableRecordError, UsageError
from reloadgate.files import write_atomically
from reloadgate.ndarrays import dtype_name, plain, read_npy, restored, storable

Leaf = np.ndarray[Any, Any]


class Ragged:
    """Rows of unequal length: the values of all rows, and where each row ends, from the outermost dimension inwards."""

    def __init__(self, values: Leaf, splits: tuple[Leaf, ...]) -> None:
        self.values, self.splits = values, splits

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch dimension alone."""
        return (len(self.splits[0]) - 1,)


PARTS = ("x", "y", "sample_weight")


class Probe:
    """x, y and sample_weight, each an array, a nesting of arrays, or None."""

    def __init__(self, x: Any = None, y: Any = None, sample_weight: Any = None) -> None:
        self.x, self.y, self.sample_weight = x, y, sample_weight

    @classmethod
    def of(cls, probe: Any) -> "Probe":
        """A probe from what users pass: None, x, (x,), (x, y) or (x, y, sample_weight), as for `Model.fit`.

        Raises:
            UsageError: a leaf is no array, or the leaves have unequal numbers of rows.
        """
        if isinstance(probe, Probe):
            return probe
        parts = probe if isinstance(probe, tuple) else (probe,)
        if len(parts) > len(PARTS):
            raise UsageError(f"a probe is (x, y, sample_weight) at most, not a tuple of {len(parts)}")
        made = cls(*(map_leaves(_as_leaf, part) for part in parts))
        rows = {leaf.shape[0] for part in made.parts() for leaf in leaves(part)}
        if len(rows) > 1:
            raise UsageError(f"the probe's arrays have different numbers of rows: {sorted(rows)}")
        return made

    def parts(self) -> tuple[Any, Any, Any]:
        return self.x, self.y, self.sample_weight

    @property
    def rows(self) -> int:
        first = next(leaves(self.x), None)
        return 0 if first is None else int(first.shape[0])

    def write(self, path: Path) -> None:
        members: dict[str, Leaf] = {}

        def keep(leaf: Leaf) -> str:
            members[name := f"leaf{len(members):03}"] = storable(leaf)
            return name

        structure = json.dumps([_spec(part, keep) for part in self.parts()], sort_keys=True)
        buffer = BytesIO()
        np.savez(buffer, structure=np.array(structure), **members)  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> "Probe":
        """Read what `write` wrote.

        Raises:
            UnreadableRecordError: the file is missing or is no probe.
        """
        try:
            members = open_npz(path)

            def member(name: str) -> Leaf:
                return read_npy(members.read(f"{name}.npy"))

            structure = json.loads(str(member("structure")))
            return cls(*(_unspec(part, member) for part in structure))
        except Exception as error:  # zipfile, zlib, json and numpy each have their own
            raise UnreadableRecordError(f"{path} is not a probe: {error!r}") from None


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same nesting with `function` applied to every leaf; None stays None."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: map_leaves(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        if type(tree) not in (list, tuple):
            name = type(tree).__name__
            raise UsageError(f"a probe is nested by dicts, lists and tuples, not by {name}: pass a plain tuple of it")
        return type(tree)(map_leaves(function, value) for value in tree)
    return function(tree)


def leaves(tree: Any) -> Any:
    """Every leaf of a nesting."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from leaves(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from leaves(value)
    elif tree is not None:
        yield tree


def _as_leaf(value: Any) -> Leaf | Ragged:
    if hasattr(value, "nested_row_splits"):
        return Ragged(plain(value.flat_values.numpy()), tuple(plain(splits.numpy()) for splits in value.nested_row_splits))
    if isinstance(value, Ragged):
        return value
    array = plain(np.asarray(value.numpy() if hasattr(value, "numpy") else value))
    if array.ndim == 0:
        raise UsageError(f"a probe's leaves are arrays with a batch axis, not {value!r}")
    return array


def _spec(tree: Any, keep: Callable[[Leaf], str]) -> Any:
    if isinstance(tree, dict):
        return {"dict": [[key, _spec(value, keep)] for key, value in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return {type(tree).__name__: [_spec(value, keep) for value in tree]}
    if isinstance(tree, Ragged):
        return {"ragged": [_spec(part, keep) for part in (tree.values, *tree.splits)]}
    return None if tree is None else {"array": [keep(tree), dtype_name(tree)]}


def _unspec(spec: Any, member: Callable[[str], Leaf]) -> Any:
    if spec is None:
        return None
    ((kind, value),) = spec.items()
    match kind:
        case "dict":
            return {key: _unspec(item, member) for key, item in value}
        case "list":
            return [_unspec(item, member) for item in value]
        case "tuple":
            return tuple(_unspec(item, member) for item in value)
        case "ragged":
            values, *splits = (_unspec(item, member) for item in value)
            return Ragged(values, tuple(splits))
        case "array":
            name, dtype = value
            return restored(member(name), dtype)
    raise ValueError(f"unknown kind {kind!r}")
