"""Nouns: what is written is what is read, and nothing else is read at all."""

import copy
import dataclasses
import functools
import json
import operator
import re
import types
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import build
from reloadgate.comparison import Comparison
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import Artifact, File, ReloadedEvidence, SavedEvidence, Sealed, read_saved
from reloadgate.judge import judge
from reloadgate.nouns import SCHEMA_VERSION, canonical, digest, from_dict, read_json, to_dict, write_json
from reloadgate.policy import Policy, Relative, Signed, Tolerances
from reloadgate.project import VersionRecord
from reloadgate.verdict import Verdict

FILES = (SavedEvidence, ReloadedEvidence, Sealed, Comparison, Verdict, VersionRecord)
"""Every noun that is a file."""

TEXT = st.text('aß\u2028\U0001f600\0\n"\\/.', max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(TEXT, below, max_size=2),
    max_leaves=4,
)
PLAIN = {str: TEXT, int: st.integers(), bool: st.booleans(), Any: JSON, type(None): st.none()}


def any_of(hint: Any, least: float | None = None) -> st.SearchStrategy[Any]:
    """Values of a type as nouns declare it."""
    inner = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of([any_of(one, least) for one in inner])
    if get_origin(hint) is tuple:
        return st.lists(any_of(inner[0]), max_size=2).map(tuple)
    if get_origin(hint) is dict:
        return st.dictionaries(TEXT, any_of(inner[1]), max_size=2)
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False, min_value=least)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    if dataclasses.is_dataclass(hint):
        floor = 0.0 if hint in (Policy, Tolerances, Relative) else None
        names = get_type_hints(hint)
        drawn = {name: any_of(one, floor) for name, one in names.items()} | (
            {"schema_version": st.just(SCHEMA_VERSION)} if "schema_version" in names else {}
        )
        if hint in (Artifact, File):
            drawn["path"] = st.sampled_from(["model.keras", "variables/variables.index", "."])
        if hint is Policy:
            drawn["flips"] = st.integers(min_value=0)
        if hint is Signed:
            named = st.text(min_size=1)
            return st.builds(hint, key=named) | st.builds(hint, certificates=st.tuples(named))
        return st.builds(hint, **drawn)
    return PLAIN[hint]


@pytest.mark.parametrize("noun", FILES)
def test_a_record_survives_to_dict_and_from_dict(noun: type) -> None:
    @given(any_of(noun))
    @settings(max_examples=15, deadline=None, database=None)
    def survives(record: Any) -> None:
        data = json.loads(canonical(to_dict(record)))
        assert from_dict(noun, data) == record
        assert to_dict(from_dict(noun, data)) == data

    survives()


def test_what_was_built_survives_the_disk(tmp_path: Path) -> None:
    built = build(tmp_path)
    comparison = built.compare()
    assert read_saved(built.sealed)[0] == built.saved
    for record in (
        built.saved,
        built.reloaded,
        comparison,
        judge(comparison, Policy()),
        built.record(tmp_path / "records")["digits"],
    ):
        write_json(tmp_path / "record.json", to_dict(record))
        assert from_dict(type(record), read_json(tmp_path / "record.json")) == record


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data: dict[str, Any] = to_dict(build(tmp_path_factory.mktemp("built")).saved)
    return data


GONE = object()


def altered(data: Any, path: str, value: Any) -> Any:
    """A copy with the value at a dotted path replaced or, where it is GONE, taken away."""
    made = copy.deepcopy(data)
    *way, last = [int(step) if step.isdigit() else step for step in path.replace("[", ".").replace("]", "").split(".")]
    place = functools.reduce(operator.getitem, way, made)
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("observation.variables[0].kye", 1, "Unexpected"),
        ("observation.variables[0].key", GONE, "required"),
        ("observation.variables[0].key", 1, "string"),
        ("observation.variables[1].kind", "wight", "weight"),
        ("observation.variables[0].value.shape[1]", 3.0, "integer"),
        ("observation.variables[0].value.shape[0]", True, "integer"),
        ("observation.variables[0].noise", "0.0", "number"),
        ("observation.variables[0].noise", True, "number"),
        ("observation.compiled", 1, "boolean"),
        ("observation.compiled", "true", "boolean"),
        ("observation.steps", "3", "integer"),
        ("observation.optimizers[0].config", [], "object"),
        ("observation.logs", {}, "array"),
        ("environment.settings.X", 1, "string"),
        ("files[0].size", None, "integer"),
        ("observation.variables[0].noise", 10**400, "number"),
        ("observation.variables[0].noise", -(10**400), "number"),
        ("probe_sha", None, "Unexpected"),
        ("recipe", GONE, "required"),
        ("schema_version", 1.0, "string"),
        ("schema_version", GONE, "required"),
    ],
)
def test_a_field_that_is_unknown_missing_or_mistyped_is_refused_by_its_path(
    saved: dict[str, Any], path: str, value: Any, complaint: str
) -> None:
    with pytest.raises(UnreadableRecordError) as refused:
        from_dict(SavedEvidence, altered(saved, path, value), "evidence.json")
    said = str(refused.value)
    assert said.startswith("evidence.json: ")
    assert f" {path}: " in said
    assert complaint in said


@pytest.mark.parametrize("out", ["../../key", "/etc/passwd", "a/../../b", "..", "", "a\0b"])
@pytest.mark.parametrize("place", ["files[0]", "artifacts[0]"])
def test_a_path_that_leads_out_of_the_version_is_refused_by_its_place(saved: dict[str, Any], place: str, out: str) -> None:
    with pytest.raises(UnreadableRecordError, match=re.escape(f" {place}: ") + ".*no path inside of a model version"):
        from_dict(SavedEvidence, altered(saved, f"{place}.path", out), "evidence.json")


@pytest.mark.parametrize("data", [None, [], "text", 1, True])
def test_what_is_no_object_is_refused(data: Any) -> None:
    for noun in FILES:
        with pytest.raises(UnreadableRecordError, match=noun.__name__):
            from_dict(noun, data)


def test_a_whole_number_is_a_float(saved: dict[str, Any]) -> None:
    record = from_dict(SavedEvidence, altered(saved, "observation.variables[0].noise", 1))
    assert record.observation.variables[0].noise == 1.0


@pytest.mark.parametrize("theirs", ["2.0", "0.9", "10.0", "", "x", None])
def test_another_major_schema_is_refused_with_what_to_do(saved: dict[str, Any], theirs: Any) -> None:
    with pytest.raises(UnreadableRecordError, match="use the release of reloadgate that wrote it, or record again"):
        from_dict(SavedEvidence, altered(saved, "schema_version", theirs))


@pytest.mark.parametrize("theirs", ["1.0", "1.1", "1.99"])
def test_a_newer_minor_schema_is_read_where_it_fits(saved: dict[str, Any], theirs: str) -> None:
    assert from_dict(SavedEvidence, altered(saved, "schema_version", theirs)).schema_version == theirs


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1, "a": 2}', "'a' appears twice"),
        ('{"a": [{"b": 1, "c": 2, "b": 1}]}', "'b' appears twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": [Infinity]}', "Infinity"),
        ("-Infinity", "-Infinity"),
        ("{", "cannot be read as JSON"),
        ("", "cannot be read as JSON"),
        ("\xff", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("1" * 5000, "cannot be read as JSON"),
        (None, "is missing"),
    ],
)
def test_what_is_not_strict_json_is_refused_by_the_files_name(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "record.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableRecordError, match=complaint) as refused:
        read_json(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"], ids=["NaN", "infinity", "surrogate"])
def test_a_value_that_canonical_json_has_no_word_for_is_unreadable(saved: dict[str, Any], value: Any) -> None:
    with pytest.raises(UnreadableRecordError):
        from_dict(SavedEvidence, saved | {"hash_seed": value})


def test_neither_nan_nor_infinity_is_ever_written(tmp_path: Path) -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json(tmp_path / "record.json", {"value": value})
    assert list(tmp_path.iterdir()) == []


@given(st.dictionaries(TEXT, JSON, max_size=4))
@settings(max_examples=50, deadline=None, database=None)
def test_a_digest_does_not_depend_on_the_order_of_keys(data: dict[str, Any]) -> None:
    assert digest(data) == digest(dict(reversed(data.items())))
    assert digest(data) != digest(data | {"another key, longer than any": 1})
