"""Whatever bytes an artifact has, inspection says something about it: it never breaks, hangs or fills the memory.

RELOADGATE_FUZZ is the number of examples of each test; `make fuzz` runs many.
"""

import json
import os
import resource
from pathlib import Path
from typing import Any

import artifacts
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reloadgate.inspection.declared import declared_from
from reloadgate.inspection.kinds import look
from reloadgate.inspection.limits import Limits
from reloadgate.nouns import from_dict, to_dict

EXAMPLES = int(os.environ.get("RELOADGATE_FUZZ", "25"))
UNFORESEEN = "inspection could make no sense"
LIMITS = Limits(file=1 << 26, memory=1 << 31, seconds=20)
MOST_GROWTH = 512 << 10
"""KiB of memory that a whole test may take beyond what it had before."""
profile = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def seeds(folder: Path) -> dict[str, bytes]:
    artifacts.write_checkpoint(folder / "ck")
    artifacts.write_shards(folder)
    return {
        "m.keras": artifacts.archive(artifacts.members()),
        "deflated.keras": artifacts.archive(artifacts.members(), 8),
        "m.weights.h5": artifacts.hdf5(),
        "packed.weights.h5": artifacts.hdf5(compression="gzip", shuffle=True, fletcher32=True),
        "m.h5": artifacts.legacy(),
        "m.npy": artifacts.npy([[1.0, 2.0]]),
        "m.npz": artifacts.npz(a=[1.0], b=[[2]]),
        "ck/ckpt-1.index": (folder / "ck/ckpt-1.index").read_bytes(),
        "ck/ckpt-1.data-00000-of-00001": (folder / "ck/ckpt-1.data-00000-of-00001").read_bytes(),
        "ck/checkpoint": (folder / "ck/checkpoint").read_bytes(),
        "m.weights.json": (folder / "m.weights.json").read_bytes(),
        "sm/saved_model.pb": artifacts.saved_model().SerializeToString(),
    }


NAMES = sorted({"m.keras", "deflated.keras", "m.weights.h5", "packed.weights.h5", "m.h5", "m.npy", "m.npz", "ck/ckpt-1.index",
                "ck/ckpt-1.data-00000-of-00001", "ck/checkpoint", "m.weights.json", "sm/saved_model.pb"})  # fmt: skip

changes = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
        st.tuples(st.just("cut"), st.floats(0, 1, exclude_max=True), st.integers(0, 64)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=16)),
        st.tuples(st.just("number"), st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 255, 1 << 31, (1 << 64) - 1])),
        st.tuples(st.just("end"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


def damaged(raw: bytes, todo: list[tuple[str, float, Any]]) -> bytes:
    for what, where, how in todo:
        at = int(where * len(raw))
        if what == "flip" and raw:
            raw = raw[:at] + bytes([raw[at] ^ how]) + raw[at + 1 :]
        elif what == "cut":
            raw = raw[:at] + raw[at + how :]
        elif what == "insert":
            raw = raw[:at] + how + raw[at:]
        elif what == "number":
            raw = raw[:at] + how.to_bytes(8, "little") + raw[at + 8 :]
        elif what == "end":
            raw = raw[:at]
    return raw


def said_of(path: Path) -> Any:
    """What inspection says; it must be a whole record, and no parser's exception that nobody foresaw."""
    found = look(path, declared_from(()), LIMITS)
    assert from_dict(type(found), json.loads(json.dumps(to_dict(found)))) == found
    assert not [finding for finding in found.findings if UNFORESEEN in finding.message]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_damaged_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / "sm").mkdir()
    raw = seeds(tmp_path)[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @profile
    @given(changes)
    def run(todo: list[tuple[str, float, Any]]) -> None:
        changed = damaged(raw, todo)
        (tmp_path / name).write_bytes(changed)
        found = said_of(tmp_path / name if name.count("/") == 0 else (tmp_path / name).parent)
        assert found.refused or changed == raw or name not in CHECKED, todo

    run()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH


CHECKED = {"ck/ckpt-1.data-00000-of-00001"}
"""What has checksums over every byte."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["Dense", "keras.layers", "__lambda__", "Lambda", "function", "builtins", "eval", "/etc", "__numpy__",
        "Sequential"]),
    lambda inside: st.lists(inside, max_size=4)
    | st.dictionaries(st.sampled_from(["class_name", "module", "config", "registered_name", "layers", "dtype", "build_config",
                                       "input_shape", "units", "axis", "optimizer", "vocabulary", "x"]), inside, max_size=4),
    max_leaves=12,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inside for place in places(one, (*path, key)))]


def test_other_configurations(tmp_path: Path) -> None:
    original = artifacts.config()
    weights = artifacts.hdf5()
    every = places(original)[1:]

    @settings(profile, max_examples=2 * EXAMPLES)
    @given(st.lists(st.tuples(st.sampled_from(every), values), min_size=1, max_size=3))
    def run(todo: list[tuple[tuple[Any, ...], Any]]) -> None:
        changed = json.loads(json.dumps(original))
        for path, value in todo:
            here = changed
            try:
                for key in path[:-1]:
                    here = here[key]
                here[path[-1]] = value
            except (KeyError, IndexError, TypeError):
                continue
        raw = json.dumps(changed, ensure_ascii=False).encode("utf-8", "surrogatepass")
        (tmp_path / "m.keras").write_bytes(artifacts.archive(artifacts.members(config=raw, weights=weights)))
        found = said_of(tmp_path / "m.keras")
        named = [one for one in texts(changed, "class_name") if one in ("__lambda__", "Lambda", "eval")]
        assert found.refused or not named

    run()


def texts(value: Any, key: str) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value[key]] if isinstance(value, dict) and key in value else []
    return [*own, *(found for one in inside for found in texts(one, key))]
