"""What stands behind the rows of one artifact: differences element by element, the worst rows of the probe, both environments.

Read from the evidence folders once more, for people alone: no verdict rests on it. What cannot be read, or was kept as a sketch,
has nothing to show.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reloadgate.arrays import Array, ArrayReader, Kept
from reloadgate.comparison import Row
from reloadgate.errors import ReloadgateError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    Environment,
    Group,
    Observation,
    ReloadedEvidence,
    SavedEvidence,
    read_saved,
    read_sealed,
)
from reloadgate.nouns import noun
from reloadgate.probe import Probe
from reloadgate.project import folder_of
from reloadgate.rows import group_of
from reloadgate.text import one_line

WORST = 5
"""Rows of the probe that are shown of one output."""

Values = np.ndarray[Any, Any]


@noun
class ProbeRow:
    """A row of the probe on which an output is another."""

    number: int
    """From 0, as in the arrays that were given to `save`."""
    expected: str
    seen: str
    difference: float
    """Largest over the row."""
    inputs: dict[str, str]


class Exhibits:
    """Both evidences of one artifact, as far as they can be read.

    Args:
        version: the model version's directory.
        evidence: the folder that `reload` wrote, with a folder for every model.
    """

    def __init__(self, model: str, version: Path, artifact: str, evidence: Path) -> None:
        self.saved: SavedEvidence | None = None
        self.reloaded: ReloadedEvidence | None = None
        self._pairs: dict[tuple[Group, str], tuple[Values, Values]] = {}
        self._probe = Probe()
        with contextlib.suppress(ReloadgateError, OSError, StopIteration):
            self.saved, theirs = read_saved(version / EVIDENCE_DIR)
            folder = folder_of(evidence, model, next(one for one in self.saved.artifacts if one.path == artifact))
            self.reloaded = read_sealed(ReloadedEvidence, folder).record
            if self.reloaded.observation is not None:
                ours = ArrayReader(folder / "arrays.npz")
                self._pairs = dict(_pairs(self.saved.observation, theirs, self.reloaded.observation, ours))
            self._probe = Probe.read(version / EVIDENCE_DIR / "probe.npz")

    @property
    def environments(self) -> tuple[Environment | None, Environment | None]:
        """Where it was saved, and where it was reloaded."""
        saved, reloaded = self.saved, self.reloaded
        return saved.environment if saved else None, reloaded.environment if reloaded else None

    def gaps(self, row: Row) -> Values | None:
        """The absolute differences of a row's arrays, finite ones, flat; None where there is nothing to measure."""
        pair = self._pairs.get((row.group, row.subject))
        if pair is None or pair[0].shape != pair[1].shape:
            return None
        gaps = _gaps(*pair).reshape(-1)
        return gaps[np.isfinite(gaps)]

    def worst(self, row: Row) -> tuple[ProbeRow, ...]:
        """The rows of the probe on which an output differs most, worst first; NaN on one side alone is worst of all."""
        pair = self._pairs.get((row.group, row.subject))
        if row.group is not Group.PREDICTIONS or pair is None or pair[0].shape != pair[1].shape or not pair[0].ndim:
            return ()
        expected, seen = pair
        gaps = _gaps(expected, seen).reshape(len(expected), -1).max(axis=1, initial=0.0)
        order = np.argsort(-gaps, kind="stable")[:WORST]
        return tuple(
            ProbeRow(
                number=int(number), expected=_short(expected[number]), seen=_short(seen[number]),
                difference=float(gaps[number]), inputs=dict(_row_of(self._probe, int(number))),
            )
            for number in order if gaps[number] > 0
        )  # fmt: skip


def _pairs(
    then: Observation, theirs: ArrayReader, now: Observation, ours: ArrayReader
) -> Iterator[tuple[tuple[Group, str], tuple[Values, Values]]]:
    """Both sides' values by what the comparison's rows call them, where both are kept whole."""
    seen = dict(_arrays(now))
    for key, array in _arrays(then):
        other = seen.get(key)
        if other is not None and array.sha256 != other.sha256 and array.kept is other.kept is Kept.VALUES:
            pair = theirs.get(array), ours.get(other)
            if pair[0].dtype.kind not in "SU" and pair[1].dtype.kind not in "SU":
                yield key, pair


def _arrays(observation: Observation) -> Iterator[tuple[tuple[Group, str], Array]]:
    for output in observation.outputs:
        yield (Group.PREDICTIONS, f"{output.mode}: {output.name}"), output.value
    for variable in (*observation.variables, *observation.assets):
        yield (group_of(variable), variable.key), variable.value
        if variable.final is not None:
            yield (Group.RESUME, f"{variable.key} after {observation.steps} steps"), variable.final
    for log in observation.logs:
        yield (Group.RESUME, f"{log.name} per step"), log.values


def _gaps(expected: Values, seen: Values) -> Values:
    """Absolute differences as float64; infinite where a number stands against none."""
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        a, b = expected.astype(wide), seen.astype(wide)
        gaps = np.abs(a - b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    result: Values = np.where(same, 0.0, np.where(np.isnan(gaps), np.inf, gaps))
    return result


def _row_of(probe: Probe, number: int) -> Iterator[tuple[str, str]]:
    for name, part in zip(("x", "y"), probe.parts(), strict=False):
        for place, leaf in _named(name, part):
            if number < len(leaf):
                yield place, _short(leaf[number])


def _named(name: str, tree: Any) -> Iterator[tuple[str, Values]]:
    """Every leaf of a nesting with its place, such as `x.age` or `x[0]`."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _named(f"{name}.{key}", value)
    elif isinstance(tree, (list, tuple)):
        for number, value in enumerate(tree):
            yield from _named(f"{name}[{number}]", value)
    elif tree is not None:
        yield name, tree


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "SUbiufc":
        array = array.astype(np.float64)  # bfloat16 and its like print as objects
    if array.ndim == 0:
        return one_line(array[()] if array.dtype.kind != "f" else f"{float(array):.9g}", 200)
    text = np.array2string(array, threshold=12, edgeitems=4, precision=8, max_line_width=10_000)
    return one_line(text, 300) + (f" {list(array.shape)}" if array.size > 12 else "")
