"""The probe: whatever a model takes comes back as it was, and what is no batch is refused."""

from collections import namedtuple
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from reloadgate.errors import UnreadableRecordError, UsageError
from reloadgate.ndarrays import np_dtype
from reloadgate.probe import Probe, leaves, map_leaves

X, Y, W = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0, 1, 2]), np.array([1.0, 0.5, 0.0])
TEXT, BYTES = np.array(["", "neunß", "\U0001f600"]), np.array([b"", b"\xff", b"ab"])

PROBES: dict[str, Any] = {
    "nothing": None,
    "inputs alone": X,
    "inputs in a tuple": (X,),
    "inputs and targets": (X, Y),
    "inputs, targets and weights": (X, Y, W),
    "weights without targets": (X, None, W),
    "targets alone": (None, Y),
    "a list of inputs": ([X, Y], Y),
    "a tuple of inputs": ((X, Y), Y),
    "a dict of inputs": ({"image": X, "row": Y}, {"digit": Y}),
    "a dict in another order": ({"b": X, "a": Y},),
    "integer keys": ({1: X, 2: Y},),
    "a nesting": ({"a": [X, {"b": (Y, None)}], "c": []}, [Y, (Y,)]),
    "text": (TEXT, Y),
    "bytes": (BYTES, Y),
    "no rows": (X[:0], Y[:0]),
    "one row": (X[:1], Y[:1]),
    "a view": (X[::-1], Y),
}


def same(a: Any, b: Any) -> bool:
    """Whether two nestings are the same: types, order of keys, dtypes, shapes and bytes."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return equal(a, b) if isinstance(a, (list, tuple)) else a is b is None


def equal(these: Iterable[Any], those: Iterable[Any]) -> bool:
    these, those = list(these), list(those)
    return len(these) == len(those) and all(map(same, these, those))


@pytest.mark.parametrize("what", PROBES)
def test_a_probe_is_read_as_it_was_given(tmp_path: Path, what: str) -> None:
    given_ = PROBES[what]
    Probe.of(given_).write(tmp_path / "probe.npz")
    parts = given_ if isinstance(given_, tuple) else (given_,)
    assert equal(Probe.read(tmp_path / "probe.npz").parts(), (*parts, None, None)[:3])


SHAPES = array_shapes(min_dims=0, max_dims=2).map(lambda shape: (3, *shape))
LEAVES = arrays(st.sampled_from([np.float32, np.int64, np.bool_, "U3"]), SHAPES)


def nested(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(below, max_size=3)
    return lists | lists.map(tuple) | st.dictionaries(st.text("ab"), below, max_size=2)


NESTINGS = st.recursive(LEAVES | st.none(), nested, max_leaves=5)


@given(NESTINGS)
@settings(max_examples=40, deadline=None, database=None)
def test_every_nesting_survives(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    path = tmp_path_factory.mktemp("probe") / "probe.npz"
    Probe.of((tree,)).write(path)
    assert same(Probe.read(path).x, tree)


def test_a_probe_of_bfloat16_is_read_as_it_was_given(tmp_path: Path) -> None:
    x = X.astype(np_dtype("bfloat16"))
    Probe.of(x).write(tmp_path / "probe.npz")
    assert same(Probe.read(tmp_path / "probe.npz").x, x)


@pytest.mark.parametrize(
    ("what", "rows"), [("nothing", 0), ("targets alone", 0), ("no rows", 0), ("one row", 1), ("a nesting", 3)]
)
def test_rows_are_those_of_the_inputs(what: str, rows: int) -> None:
    assert Probe.of(PROBES[what]).rows == rows


@pytest.mark.parametrize(
    ("probe", "complaint"),
    [
        ((X, Y[:2]), r"different numbers of rows: \[2, 3\]"),
        (({"a": X, "b": X[:1]},), r"\[1, 3\]"),
        ((X, None, W[:1]), r"\[1, 3\]"),
        ((X, Y, W, W), "not a tuple of 4"),
        (3.0, "batch axis, not 3.0"),
        ((X, 1), "batch axis, not 1"),
        ([1, 2, 3], "batch axis, not 1"),
        ("text", "batch axis, not 'text'"),
    ],
)
def test_what_is_no_batch_is_refused(probe: Any, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Probe.of(probe)


def test_a_probe_stays_the_probe_that_it_is() -> None:
    probe = Probe.of((X, Y))
    assert Probe.of(probe) is probe


def test_tensors_and_text_of_dtype_object_become_plain_arrays() -> None:
    class Tensor:
        def numpy(self) -> np.ndarray:
            return X

    probe = Probe.of((Tensor(), np.array(["a", "b", "c"], dtype=object)))
    assert same(probe.x, X)
    assert probe.y.dtype.kind == "U"


def test_leaves_are_mapped_in_place_and_none_stays_none() -> None:
    tree = {"a": [X, None], "b": (Y,)}
    assert same(map_leaves(lambda leaf: leaf, tree), tree)
    assert [leaf.shape for leaf in leaves(tree)] == [(3, 4), (3,)]


def test_the_same_probe_makes_the_same_file(tmp_path: Path) -> None:
    for name in "ab":
        Probe.of(PROBES["a nesting"]).write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "members",
    [
        None,
        {},
        {"structure": np.array("not json")},
        {"structure": np.array("[]x")},
        {"structure": np.array('[{"array": "leaf000"}, null, null]')},
        {"structure": np.array('[{"set": []}, null, null]')},
        {"structure": np.array("[1, 2, 3]")},
        {"structure": np.array("[null, null, null, null]")},
        {"structure": np.array([{}], dtype=object)},
    ],
)
def test_what_is_no_probe_is_refused_by_its_name(tmp_path: Path, members: dict[str, np.ndarray] | None) -> None:
    path = tmp_path / "probe.npz"
    if members is not None:
        np.savez(path, **members)  # type: ignore[arg-type]
    with pytest.raises(UnreadableRecordError, match=r"probe\.npz is not a probe"):
        Probe.read(path)


def test_a_nesting_that_cannot_be_kept_is_refused_by_its_name() -> None:
    given = namedtuple("Pair", ["left", "right"])(X, X)
    with pytest.raises(UsageError, match="not by Pair: pass a plain tuple"):
        Probe.of(({"pair": given}, Y))
