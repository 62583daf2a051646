"""Arrays of evidence: a digest that says whether, a sketch that says where and how far."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import kept
from reloadgate.arrays import WHOLE_BYTES, ArrayReader, ArrayWriter, Kept
from reloadgate.errors import UnreadableRecordError
from reloadgate.ndarrays import SKETCH_BLOCK, array_digest, np_dtype, sketch

BFLOAT16 = np_dtype("bfloat16")
MANY = WHOLE_BYTES // 4 + 5


def large(dtype: Any = np.float32, seed: int = 3) -> np.ndarray:
    """More than is kept whole, and not a whole number of blocks."""
    return np.random.default_rng(seed).normal(size=MANY).astype(dtype)


ROUND_TRIPS = {
    "bool": np.array([True, False]),
    "int8": np.array([[-128], [127]], np.int8),
    "int64": np.array([2**63 - 1, -(2**63)]),
    "uint64": np.array([2**64 - 1], np.uint64),
    "float16": np.array([0.1, -0.0, 65504], np.float16),
    "float32": np.array([[1e-45, np.nan], [np.inf, -np.inf]], np.float32),
    "float64": np.array([5e-324, 1.7e308]),
    "bfloat16": np.array([0.1, -0.0, 3e38]).astype(BFLOAT16),
    "complex64": np.array([1 + 2j, np.nan * 1j], np.complex64),
    "complex128": np.array([1 - 2j]),
    "U5": np.array(["", "neunß", "\U0001f600"]),
    "S4": np.array([b"", b"\xff\x01ab"]),
    "0-d": np.array(3.5, np.float32),
    "0-d text": np.array("text"),
    "empty": np.zeros((0, 3), np.float32),
    "empty text": np.array([], dtype="U3"),
    "Fortran order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a view": np.arange(10.0)[::3],
}


def unlike(value: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays that hold the same bytes, or the same values, and are not the same."""
    return {
        "another dtype of the same bytes": value.view(np.uint32),
        "another dtype of the same values": value.astype(np.float64),
        "another shape": value.reshape(-1),
        "another axis": value.reshape(1, *value.shape),
        "other values": value + np.float32(1),
    }


@pytest.mark.parametrize("what", unlike(np.zeros((2, 3), np.float32)))
def test_a_digest_depends_on_dtype_shape_and_bytes(what: str) -> None:
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert array_digest(unlike(value)[what]) != array_digest(value)


@given(st.integers(0, 95), st.integers(1, 255))
@settings(max_examples=50, deadline=None, database=None)
def test_a_digest_depends_on_every_bit(at: int, flip: int) -> None:
    value = np.arange(12, dtype=np.float64)
    other = value.copy()
    other.view(np.uint8)[at] ^= flip
    assert array_digest(other) != array_digest(value)


def test_a_digest_does_not_depend_on_the_order_in_memory() -> None:
    value = np.arange(24.0).reshape(4, 6)
    for same in (np.asfortranarray(value), np.arange(48.0).reshape(4, 12)[:, :6] * 0 + value, value[::-1][::-1]):
        assert array_digest(same) == array_digest(value)


@pytest.mark.parametrize("what", ROUND_TRIPS)
def test_an_array_is_read_as_it_was_put(tmp_path: Path, what: str) -> None:
    value = ROUND_TRIPS[what]
    (array,), (reader,) = kept(tmp_path, value)
    read = reader.get(array)
    assert (read.dtype, read.shape, read.tobytes()) == (value.dtype, value.shape, value.tobytes())
    assert (array.shape, array.kept) == (value.shape, Kept.VALUES)


@pytest.mark.parametrize(
    ("value", "nans", "infinities", "largest"),
    [
        (np.array([1.0, -3.0, np.nan, np.inf, -np.inf]), 1, 2, 3.0),
        (np.array([np.nan, np.inf], np.float16), 1, 1, 0.0),
        (np.array([np.nan, -2.5, np.inf]).astype(BFLOAT16), 1, 1, 2.5),
        (np.array([3 + 4j, complex(np.nan, 1), complex(1, np.inf)]), 1, 1, 5.0),
        (np.array([-128, 3], np.int8), 0, 0, 128.0),
        (np.array([False, True]), 0, 0, 1.0),
        (np.array([False]), 0, 0, 0.0),
        (np.zeros(0), 0, 0, 0.0),
        (np.array(["nan"]), 0, 0, 0.0),
    ],
)
def test_nan_infinity_and_the_largest_magnitude_are_counted(
    value: np.ndarray, nans: int, infinities: int, largest: float
) -> None:
    array = ArrayWriter().put("value", value)
    assert (array.nans, array.infinities, array.largest) == (nans, infinities, largest)


def test_text_of_dtype_object_is_kept_without_a_pickle(tmp_path: Path) -> None:
    for text in (["ab", "c"], [b"ab", b"c"]):
        (array,), (reader,) = kept(tmp_path, np.array(text, dtype=object))
        assert reader.get(array).tolist() == text


@pytest.mark.parametrize(
    ("value", "whole", "how"),
    [
        (np.zeros(WHOLE_BYTES, np.uint8), False, Kept.VALUES),
        (np.zeros(WHOLE_BYTES + 1, np.uint8), False, Kept.SKETCH),
        (np.zeros(WHOLE_BYTES + 1, np.uint8), True, Kept.VALUES),
        (np.zeros(WHOLE_BYTES // 4 + 1, "U1"), False, Kept.VALUES),
    ],
)
def test_small_arrays_and_text_are_kept_whole_and_large_ones_as_a_sketch(value: np.ndarray, whole: bool, how: Kept) -> None:
    assert ArrayWriter().put("value", value, whole=whole).kept is how


def test_a_sketch_is_one_number_a_block(tmp_path: Path) -> None:
    (array,), (reader,) = kept(tmp_path, large())
    assert array.kept is Kept.SKETCH
    assert reader.get(array).shape == (-(-MANY // SKETCH_BLOCK),)
    assert reader.get(array).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float16, BFLOAT16, np.float64, np.int32])
def test_equal_arrays_have_equal_sketches(dtype: Any) -> None:
    assert sketch(large(dtype)).tobytes() == sketch(large(dtype).reshape(1, -1).copy()).tobytes()


@given(st.integers(0, MANY - 1), st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda step: abs(step) > 1e-6))
@settings(max_examples=50, deadline=None, database=None)
def test_one_changed_element_is_seen_in_its_block_and_measured_exactly(at: int, step: float) -> None:
    value, other = large(np.float64), large(np.float64)
    other[at] += step
    gap = np.abs(sketch(value) - sketch(other))
    assert np.flatnonzero(gap).tolist() == [at // SKETCH_BLOCK]
    # Sums of 1024 numbers: their rounding errors are relative to the largest partial sum.
    assert gap.max() == pytest.approx(abs(other[at] - value[at]), abs=1e-12 * (100 + abs(step)))


def test_a_sketch_counts_nan_and_infinity_as_nothing() -> None:
    value, other = large(), large()
    value[7] = 0.0
    other[7] = np.nan
    assert sketch(value).tobytes() == sketch(other).tobytes()


def test_the_same_arrays_make_the_same_file_in_whatever_order_they_were_put(tmp_path: Path) -> None:
    for name, order in (("a", "xy"), ("b", "yx")):
        writer = ArrayWriter()
        for one in order:
            writer.put(one, large(seed=ord(one)))
        writer.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# What was altered


def rewritten(path: Path, **members: np.ndarray) -> ArrayReader:
    np.savez(path, **members)  # type: ignore[arg-type]
    return ArrayReader(path)


@pytest.mark.parametrize(
    "other",
    [np.arange(5.0) + 1, np.arange(5.0).reshape(1, 5), np.arange(5), np.arange(4.0), np.array(["a"]), np.zeros(0)],
    ids=["values", "shape", "dtype", "length", "text", "empty"],
)
def test_values_that_are_not_those_that_the_evidence_describes_are_refused(tmp_path: Path, other: np.ndarray) -> None:
    (array,), _ = kept(tmp_path, np.arange(5.0))
    with pytest.raises(UnreadableRecordError, match="not the array that the evidence describes"):
        rewritten(tmp_path / "altered.npz", value=other).get(array)


@pytest.mark.parametrize("values", [[], [0.5], [1.0, float("nan"), float("-inf"), -0.0]], ids=len)
def test_a_vector_is_read_as_the_array_is(tmp_path: Path, values: list[float]) -> None:
    (array,), (reader,) = kept(tmp_path, np.array(values))
    assert np.array(reader.vector(array)).tobytes() == reader.get(array).tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize(
    "other",
    [np.arange(5.0) + 1, np.arange(5), np.arange(4.0), np.arange(5, dtype=np.float32), np.array(["a"]), np.zeros(0)],
    ids=["values", "dtype", "length", "width", "text", "empty"],
)
def test_a_vector_that_is_not_what_the_evidence_describes_is_refused(tmp_path: Path, other: np.ndarray) -> None:
    (array,), _ = kept(tmp_path, np.arange(5.0))
    with pytest.raises(UnreadableRecordError, match="not the array that the evidence describes"):
        rewritten(tmp_path / "altered.npz", value=other).vector(array)


@pytest.mark.parametrize("value", [np.arange(5), np.arange(6.0, dtype=np.float32), large()], ids=["int64", "float32", "sketch"])
def test_what_is_no_vector_of_doubles_is_not_read_as_one(tmp_path: Path, value: np.ndarray) -> None:
    (array,), (reader,) = kept(tmp_path, value)
    with pytest.raises(UnreadableRecordError, match="not the array that the evidence describes"):
        reader.vector(array)


def test_an_array_that_is_not_in_the_file_is_refused_by_name(tmp_path: Path) -> None:
    (array,), _ = kept(tmp_path, np.arange(5.0))
    with pytest.raises(UnreadableRecordError, match="value cannot be read"):
        rewritten(tmp_path / "altered.npz", another=np.arange(5.0)).get(array)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    (array,), _ = kept(tmp_path, np.arange(5.0))
    with pytest.raises(UnreadableRecordError, match="value cannot be read"):
        rewritten(tmp_path / "altered.npz", value=np.array([{}], dtype=object)).get(array)


def test_a_flipped_byte_in_the_file_is_refused(tmp_path: Path) -> None:
    (array,), _ = kept(tmp_path, np.arange(5.0))
    content = bytearray((tmp_path / "0.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "0.npz") as archive:
        info = archive.infolist()[0]
    content[info.header_offset + 30 + len(info.filename) + 20 + 128] ^= 1
    (tmp_path / "flipped.npz").write_bytes(content)
    with pytest.raises(UnreadableRecordError):
        ArrayReader(tmp_path / "flipped.npz").get(array)


@pytest.mark.parametrize("other", [np.zeros(3), np.array(["a"]), np.full(17, np.nan)], ids=["shape", "dtype", "NaN"])
def test_what_is_no_sketch_of_the_array_is_refused(tmp_path: Path, other: np.ndarray) -> None:
    (array,), _ = kept(tmp_path, large())
    with pytest.raises(UnreadableRecordError):
        rewritten(tmp_path / "altered.npz", value=other).get(array)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"garbage",
        b"PK\x03\x04 garbage",
        ...,
    ],
    ids=["missing", "empty", "garbage", "a zip's beginning", "cut in half"],
)
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: Any) -> None:
    kept(tmp_path, np.arange(500.0))
    whole = (tmp_path / "0.npz").read_bytes()
    if content is not None:
        (tmp_path / "torn.npz").write_bytes(whole[: len(whole) // 2] if content is ... else content)
    with pytest.raises(UnreadableRecordError, match=r"torn\.npz"):
        ArrayReader(tmp_path / "torn.npz")
