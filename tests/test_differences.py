"""Differences: numbers where numbers measure, None where they do not, and never 0 for what is not the same."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from builders import kept
from reloadgate.arrays import WHOLE_BYTES, Kept
from reloadgate.comparison import Difference
from reloadgate.differences import changed_decisions, kept_difference, value_difference
from reloadgate.ndarrays import SKETCH_BLOCK, np_dtype, sketch

BFLOAT16 = np_dtype("bfloat16")
FLOATS = [np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64)]
NONE = Difference(max_abs=0.0, mean_abs=0.0, max_rel=0.0, max_ulp=0, differing=0, estimated=False)
MANY = WHOLE_BYTES // 8 + 100

FINITE = st.floats(-1e150, 1e150)
PAIRS = st.integers(1, 6).flatmap(lambda size: st.tuples(*[arrays(np.float64, size, elements=FINITE)] * 2))


NAN = np.nan


@pytest.mark.parametrize(
    ("expected", "seen", "changed"),
    [
        ([NAN, 1, 2], [NAN, 1, 2], 0),
        ([NAN, -1, 2], [-1, NAN, 2], 2),
        ([NAN, 0.2], [0.2, NAN], 2),
        ([0.4, 0.6, 0.5], [0.6, 0.7, 0.5], 1),
        ([NAN, 0.4], [NAN, 0.6], 1),
        ([0.4, 0.6], [0.6, 1.5], 0),
        ([-0.1, 0.6], [0.1, 0.4], 1),
        ([], [], 0),
        (0.2, 0.7, 0),
        ([[NAN, 1], [1, 0]], [[NAN, 2], [0, 1]], 1),
        ([[[0.2], [0.3]]], [[[0.8], [0.3]]], 1),
    ],
)
def test_a_decision_is_the_largest_column_or_the_side_of_one(expected: Any, seen: Any, changed: int) -> None:
    assert changed_decisions(np.array(expected), np.array(seen)) == changed


def measured(expected: Any, seen: Any) -> Difference:
    found = value_difference(expected, seen)
    assert found is not None
    return found


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_next_float_is_one_unit_in_the_last_place_away(dtype: np.dtype[Any]) -> None:
    for start, towards in itertools.product((0.0, -0.0, 1.0, -1.0, 1.5, 2.0, -2.0, 1e-3, -1e-3, 1e4), (np.inf, -np.inf)):
        value = np.array([start]).astype(dtype)
        following = np.nextafter(value, np.array([towards]).astype(dtype))
        assert following.dtype == dtype
        assert measured(value, following).max_ulp == measured(following, value).max_ulp == 1, (start, towards)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_units_in_the_last_place_count_through_zero_and_to_the_ends(dtype: np.dtype[Any]) -> None:
    zero = np.zeros(1).astype(dtype)
    up, down = (np.nextafter(zero, np.array([end]).astype(dtype)) for end in (1.0, -1.0))
    assert measured(up, down).max_ulp == 2
    assert measured(zero, -zero).max_ulp == 0
    largest = np.nextafter(np.array([np.inf]).astype(dtype), zero)
    # From zero to the largest there are as many steps as the bits of the largest say.
    assert measured(largest, zero).max_ulp == int(largest.view(f"u{dtype.itemsize}")[0])


@given(PAIRS)
@settings(max_examples=100, deadline=None, database=None)
def test_a_difference_is_what_its_words_say(pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected, seen = pair
    assume((expected != seen).any() or expected.tobytes() == seen.tobytes())  # zeros of two signs: the test below
    gap = np.abs(expected - seen)
    found = measured(expected, seen)
    assert found.max_abs == gap.max()
    assert found.mean_abs == pytest.approx(gap.mean())
    assert found.differing == np.count_nonzero(expected != seen)
    assert 0 <= found.max_rel <= 2
    assert (found.max_rel == 0) == (found.max_abs == 0)
    assert not found.estimated
    assert measured(seen, expected) == found
    assert (found.max_abs == 0) == bool(np.all(expected == seen))


KINDS = st.sampled_from(["bool", "int8", "int64", "uint16", "uint64", "float16", "float32", "float64", "complex64"])
SHAPED = st.tuples(KINDS, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)).flatmap(
    lambda kind: st.tuples(*[arrays(*kind)] * 2)
)


@given(SHAPED)
@settings(max_examples=300, deadline=None, database=None)
def test_arrays_of_every_kind_and_shape_are_measured_or_said_to_be_no_numbers(pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected, seen = pair
    found = value_difference(expected, seen)
    if found is None:
        assert expected.dtype.kind in "fc"
    else:
        assert (found.max_abs > 0) == (expected.tobytes() != seen.tobytes())
        assert found.differing <= expected.size


def test_zeros_of_two_signs_are_not_the_same_bits() -> None:
    found = measured(np.array([0.0]), np.array([-0.0]))
    assert (found.max_abs > 0, found.max_ulp, found.differing) == (True, 0, 0)


@pytest.mark.parametrize(
    ("expected", "seen", "max_abs", "max_rel", "max_ulp", "differing"),
    [
        (np.array([1, 5], np.int32), np.array([1, 2], np.int32), 3, 0.6, None, 1),
        (np.array([[1, 5], [2, 2]], np.int32), np.array([[1, 2], [2, 2]], np.int32), 3, 0.6, None, 1),
        (np.array([0, 255], np.uint8), np.array([255, 0], np.uint8), 255, 1, None, 2),
        (np.array([True, False]), np.array([False, False]), 1, 1, None, 1),
        (np.array([3 + 4j]), np.array([0j]), 5, 1, None, 1),
        (np.array(2.0), np.array(1.0), 1, 0.5, 2**52, 1),
        (np.array([0.0, 1.0]), np.array([0.0, -1.0]), 2, 2, 2 * 1023 * 2**52, 1),
        (np.array([np.nan, np.inf, 1.0]), np.array([np.nan, np.inf, 1.5]), 0.5, 1 / 3, 2**51, 1),
        (np.zeros((0, 3)), np.zeros((0, 3)), 0, 0, 0, 0),
    ],
)
def test_differences_of_every_kind_of_number(
    expected: np.ndarray, seen: np.ndarray, max_abs: float, max_rel: float, max_ulp: int | None, differing: int
) -> None:
    found = measured(expected, seen)
    assert (found.max_abs, found.max_rel, found.max_ulp, found.differing) == (max_abs, max_rel, max_ulp, differing)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ([np.nan, 1], [1, 1]),
        ([1, 1], [np.nan, 1]),
        ([np.nan, 1], [1, np.nan]),
        ([np.inf, 1], [-np.inf, 1]),
        ([np.inf, 1], [np.nan, 1]),
        ([np.inf, 1], [1, 1]),
        ([np.nan, np.nan], [1, 1]),
    ],
)
def test_nan_and_infinity_elsewhere_are_nothing_that_a_number_measures(expected: list[float], seen: list[float]) -> None:
    for dtype in FLOATS:
        assert value_difference(np.array(expected).astype(dtype), np.array(seen).astype(dtype)) is None, dtype


@pytest.mark.parametrize("kind", ["U", "S"])
def test_text_is_the_same_or_nothing_that_a_number_measures(kind: str) -> None:
    text, other = np.array(["a", "b"]).astype(kind), np.array(["a", "c"]).astype(kind)
    assert value_difference(text, text.copy()) == NONE
    assert value_difference(text, other) is None


@pytest.mark.parametrize(
    "pair",
    [
        (np.array([1.7e308]), np.array([-1.7e308])),
        (np.array([1.7e308 + 1.7e308j]), np.array([0j])),
        (np.full(4, 1e308), np.zeros(4)),
    ],
    ids=["difference", "magnitude", "mean"],
)
def test_a_difference_is_a_finite_number_or_none(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = value_difference(*pair)
    assert found is None or np.isfinite([found.max_abs, found.mean_abs, found.max_rel]).all()


# From evidence


@given(PAIRS)
@settings(max_examples=25, deadline=None, database=None)
def test_arrays_that_are_kept_whole_differ_as_their_values_do(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    (then, now), (theirs, ours) = kept(tmp_path_factory.mktemp("kept"), *pair)
    assert kept_difference(then, theirs, now, ours) == value_difference(*pair)


def test_equal_bytes_do_not_differ_whatever_is_kept(tmp_path: Path) -> None:
    for value in (np.array([np.nan, 1.0]), np.full(MANY, np.nan), np.array(["a"])):
        (then, now), (theirs, ours) = kept(tmp_path, value, value.copy())
        assert kept_difference(then, theirs, now, ours) == NONE


@pytest.mark.parametrize("dtype", [np.float32, np.float64, BFLOAT16, np.int64])
def test_one_element_of_a_large_array_is_measured_from_its_sketch(tmp_path: Path, dtype: Any) -> None:
    value = (np.arange(WHOLE_BYTES) % 64).astype(dtype)
    other = value.copy()
    other[40_000] += np.array(32).astype(dtype)
    (then, now), (theirs, ours) = kept(tmp_path, value, other)
    found = kept_difference(then, theirs, now, ours)
    assert then.kept is Kept.SKETCH
    assert found is not None
    assert (found.max_abs, found.estimated, found.differing, found.max_ulp) == (32.0, True, -1, None)
    assert found.max_rel == pytest.approx(32 / now.largest)


@pytest.mark.parametrize("other", [np.nan, np.inf])
def test_nan_in_a_large_array_is_nothing_that_a_number_measures(tmp_path: Path, other: float) -> None:
    value = np.ones(MANY)
    (then, now), (theirs, ours) = kept(tmp_path, value, np.where(np.arange(MANY) == 5, other, value))
    assert kept_difference(then, theirs, now, ours) is None


def test_what_a_sketch_cannot_resolve_is_not_nothing(tmp_path: Path) -> None:
    value = np.ones(MANY)

    def moved_apart(other: int) -> np.ndarray:
        made = value.copy()
        made[[0, other]] += [0.5, -0.5]
        return made

    # Two elements of one sign: what one adds, the other takes away.
    unseen = next(made for made in map(moved_apart, range(1, SKETCH_BLOCK)) if np.array_equal(sketch(made), sketch(value)))
    (then, now), (theirs, ours) = kept(tmp_path, value, unseen)
    found = kept_difference(then, theirs, now, ours)
    assert found is not None
    assert (found.estimated, found.max_abs > 0, found.max_rel > 0) == (True, True, True)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning", "ignore:invalid value encountered:RuntimeWarning")
def test_a_sketch_of_the_largest_numbers_is_finite(tmp_path: Path) -> None:
    value = np.full(MANY, 1e308)
    other = value.copy()
    other[0] = 1.1e308
    (then, now), (theirs, ours) = kept(tmp_path, value, other)
    found = kept_difference(then, theirs, now, ours)
    assert found is None or np.isfinite(found.max_abs)


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (np.array([2**53]), np.array([2**53 + 1])),
        (np.array([2**64 - 1], np.uint64), np.array([2**64 - 2], np.uint64)),
        (np.array([0.0]), np.array([-0.0])),
        (np.array([0x7FF8000000000001]).view(np.float64), np.array([0x7FF8000000000002]).view(np.float64)),
    ],
    ids=["int64", "uint64", "signed zero", "payload of NaN"],
)
def test_bytes_that_differ_are_never_no_difference(tmp_path: Path, expected: np.ndarray, seen: np.ndarray) -> None:
    (then, now), (theirs, ours) = kept(tmp_path, expected, seen)
    found = kept_difference(then, theirs, now, ours)
    assert found is None or found.max_abs > 0
