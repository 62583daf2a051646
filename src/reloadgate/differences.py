"""How far apart two arrays are: pure numpy, NaN and infinity explicit, no tolerance."""

from typing import Any

import numpy as np

from reloadgate.arrays import Array, ArrayReader, Kept
from reloadgate.comparison import Difference
from reloadgate.ndarrays import np_dtype

_ORDERED: dict[int, type[np.signedinteger[Any]]] = {2: np.int16, 4: np.int32, 8: np.int64}

SMALLEST = 5e-324
"""What stands for a difference in bits alone (0.0 and -0.0, one NaN and another): not the same, and not nothing."""


def value_difference(expected: np.ndarray[Any, Any], seen: np.ndarray[Any, Any]) -> Difference | None:
    """Measure two arrays of one shape and dtype; None where NaN, infinities or text differ, which no number measures."""
    if expected.dtype.kind in "SU":
        return _NONE if np.array_equal(expected, seen) else None
    a, b = _wide(expected), _wide(seen)
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)) or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return None
    a, b = a[finite], b[finite]
    if expected.tobytes() == seen.tobytes():
        return _NONE
    with np.errstate(over="ignore"):
        gap = _gap(expected, seen).ravel() if expected.dtype.kind in "iu" else np.abs(a - b)
    if not np.isfinite(gap).all():
        return None  # two finite numbers may lie further apart than one number can say
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        relative = np.nan_to_num(gap / np.maximum(np.abs(a), np.abs(b)))
    return Difference(
        max_abs=max(float(gap.max(initial=0.0)), SMALLEST),
        mean_abs=float((gap / max(gap.size, 1)).sum()),
        max_rel=float(relative.max(initial=0.0)),
        max_ulp=_ulps(expected, seen),
        differing=int(np.count_nonzero(gap)),
        estimated=False,
    )


def kept_difference(expected: Array, theirs: ArrayReader, seen: Array, ours: ArrayReader) -> Difference | None:
    """Measure two arrays of evidence of one shape and dtype, from values where both are whole, else from sketches."""
    if expected.sha256 == seen.sha256:
        return _NONE
    if expected.kept is Kept.VALUES and seen.kept is Kept.VALUES:
        return value_difference(theirs.get(expected), ours.get(seen))
    if (expected.nans, expected.infinities) != (seen.nans, seen.infinities):
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(theirs.get(expected) - ours.get(seen))
    if not np.isfinite(gap).all():
        return None
    largest = float(gap.max(initial=0.0))
    scale = max(expected.largest, seen.largest)
    # Equal sketches of unequal bytes: the difference is below what the sketch resolves, and not nothing.
    floor = max(scale * float(np.finfo(np.float32).eps), SMALLEST) if largest == 0.0 else largest
    return Difference(
        max_abs=max(largest, floor),
        mean_abs=float((gap / max(gap.size, 1)).sum()),
        max_rel=max(largest, floor) / scale if scale else 0.0,
        max_ulp=None,
        differing=-1,
        estimated=True,
    )


def changed_decisions(expected: np.ndarray[Any, Any], seen: np.ndarray[Any, Any]) -> int:
    """Rows whose decision changed: which of several columns is the largest; of one, its sign, or on which side of 0.5 it is
    where all of both lies within 0 and 1, as what a sigmoid gives."""
    if expected.dtype.kind in "SUcb" or expected.ndim < 1:
        return 0
    both = np.stack([side.astype(np.float64) for side in (expected, seen)])  # bfloat16 is no number of NumPy's
    if expected.ndim > 1 and expected.shape[-1] != 1:
        then, now = np.argmax(both, axis=-1)
        return int(np.count_nonzero(then != now))
    nan = np.isnan(both)
    within = ((both >= 0) & (both <= 1) | nan).all()
    then, now = np.sign(both - 0.5 if within else both)
    return int(np.count_nonzero((then != now) & ~nan.all(axis=0)))


_NONE = Difference(max_abs=0.0, mean_abs=0.0, max_rel=0.0, max_ulp=0, differing=0, estimated=False)


def _wide(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float64 (or complex128) for everything; integers beyond 2**53 lose bits here, but their digest does not."""
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)


def _gap(expected: np.ndarray[Any, Any], seen: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Distance of integers without losing the bits beyond 2**53: the larger less the smaller, modulo 2**64."""
    with np.errstate(over="ignore"):
        high, low = np.maximum(expected, seen), np.minimum(expected, seen)
        distance: np.ndarray[Any, Any] = (high.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64)
    return distance


def _ulps(expected: np.ndarray[Any, Any], seen: np.ndarray[Any, Any]) -> int | None:
    """Distance on the number line of representable values; NaN and infinity were compared before."""
    is_float = expected.dtype.kind == "f" or expected.dtype == np_dtype("bfloat16")
    ordered = _ORDERED.get(expected.dtype.itemsize)
    if not is_float or ordered is None:
        return None
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(expected.astype(np.float64)) & np.isfinite(seen.astype(np.float64))
    if not finite.any():
        return 0
    a, b = (_on_line(value[finite], ordered) for value in (expected, seen))
    high, low = np.maximum(a, b), np.minimum(a, b)
    # As unsigned, because the distance between two int64 may not fit an int64.
    return int((high.astype(np.uint64) - low.astype(np.uint64)).max())


def _on_line(value: np.ndarray[Any, Any], ordered: type[np.signedinteger[Any]]) -> np.ndarray[Any, Any]:
    bits = np.ascontiguousarray(value).view(ordered).astype(np.int64)
    lowest = np.int64(np.iinfo(ordered).min)
    return np.where(bits < 0, lowest - bits, bits)
