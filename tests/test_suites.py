"""Suites of the user's own count for the verdict: what does not hold fails, and what looked at nothing is no pass."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import ENCODER, build, comparison, values
from reloadgate.compare import compare
from reloadgate.comparison import Comparison, Outcome
from reloadgate.errors import UsageError
from reloadgate.evidence import Capability, Group
from reloadgate.expectations import agreed, check
from reloadgate.gate import gate
from reloadgate.judge import judge
from reloadgate.nouns import to_dict, write_json
from reloadgate.policy import Policy, Requires
from reloadgate.project import EVIDENCE, RECORDS, read_records
from reloadgate.report import VERDICT
from reloadgate.suites import read_suites, with_suites
from reloadgate.tables import TABLES
from reloadgate.verdict import Status

OWN = Policy(suites="suites")
LOOSE = {"type": "expect_column_max_to_be_between", "kwargs": {"column": "max_abs", "max_value": 10}}
NOTHING = {"row_condition": 'group=="nothing"', "condition_parser": "pandas"}
FAR = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "scale", "min_value": 1e6}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("suites").mkdir()
    return tmp_path


def write(table: str = "predictions", *expectations: Any) -> None:
    Path(f"suites/{table}.json").write_text(json.dumps({"name": "mine", "expectations": expectations, "meta": {}}))


def outcomes(found: Comparison) -> list[Outcome]:
    return [row.outcome for row in found.rows if row.group is Group.EXPECTATIONS]


def test_every_group_stands_in_one_table() -> None:
    assert sorted(group for groups in TABLES.values() for group in groups) == sorted(Group)


def test_without_suites_nothing_is_asked_and_with_suites_nobody_asked_is_no_pass() -> None:
    bare = comparison(*(row for row in comparison().rows if row.group is not Group.EXPECTATIONS), whole=False)
    assert with_suites(bare, Policy()) is bare
    assert judge(bare, Policy()).status is Status.PASS
    (finding,) = judge(bare, OWN).of(Status.UNVERIFIED)
    assert finding.message == "nobody ran the suites"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("", "", "suites holds no suite"),
        ("weights.json", "{}", "there is no table 'weights'; there are version, variables, optimizer, predictions, resume"),
        ("resume.json", "{", "resume.json is no suite of Great Expectations'"),
        ("resume.json", '{"expectations": [{"kwargs": {}}]}', "resume.json is no suite of Great Expectations'"),
        ("resume.json", '{"expectations": []}', "resume.json expects nothing"),
    ],
)
def test_a_folder_that_expects_nothing_is_a_mistake_in_the_settings(name: str, text: str, said: str) -> None:
    if name:
        Path("suites", name).write_text(text)
    with pytest.raises(UsageError) as raised:
        read_suites(Path("suites"))
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.pipeline
def test_what_holds_passes_and_what_does_not_fails() -> None:
    write("predictions", LOOSE, FAR)
    found = with_suites(comparison(), OWN)
    verdict = judge(found, OWN)
    (finding,) = verdict.of(Status.FAIL)
    assert finding.row.subject.startswith("predictions: expect_column_values_to_be_between")
    assert "a suite of your own does not hold" in finding.message
    assert sum(finding.row.subject.startswith("predictions: expect_column_max") for finding in verdict.of(Status.PASS)) == 1
    assert agreed(verdict, check(found, OWN, Path("docs"))) == verdict, "the policy's suites say the same"
    assert len(list(Path("docs").glob("validations/**/*.html"))) == 6, "the user's stands beside the policy's"


@pytest.mark.pipeline
@pytest.mark.parametrize(
    "expectation",
    [
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "no such column", "max_value": 1}},
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "scale", "max_value": 1, **NOTHING},
        },
        {"type": "expect_column_sum_to_be_between", "kwargs": {"column": "scale", "max_value": 1, **NOTHING}},
        {
            "type": "expect_column_distinct_values_to_be_in_set",
            "kwargs": {"column": "dtype", "value_set": ["float32"], **NOTHING},
        },
    ],
    ids=["a column that is not there", "a condition that fits no row", "the sum of no row", "the values of no row"],
)
def test_what_looked_at_nothing_is_unverified(expectation: dict[str, Any]) -> None:
    write("predictions", expectation)
    verdict = judge(with_suites(comparison(), OWN), OWN)
    assert verdict.status is Status.UNVERIFIED
    assert verdict.of(Status.UNVERIFIED)[0].row.group is Group.EXPECTATIONS


@pytest.mark.pipeline
def test_no_row_may_be_what_is_expected_of_a_table_and_a_condition_that_fits_is_judged() -> None:
    none = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": 0, **NOTHING}}
    some = {"column": "max_abs", "row_condition": 'group=="predictions"', "condition_parser": "pandas"}
    near, far = ({"type": "expect_column_sum_to_be_between", "kwargs": {**some, "min_value": least}} for least in (0, 1e6))
    write("predictions", none, near, far)
    rows = [row for row in with_suites(comparison(), OWN).rows if row.subject.startswith("predictions: expect_")]
    assert sorted(row.outcome for row in rows) == sorted([Outcome.SAME, Outcome.SAME, Outcome.BROKEN])


@pytest.mark.pipeline
def test_a_table_without_a_row_is_unverified_and_a_type_that_is_none_is_a_mistake() -> None:
    write("resume", LOOSE)
    infers = Policy(suites="suites", requires=Requires(version=Capability.INFER))
    rows = tuple(row for row in comparison().rows if row.group not in (Group.RESUME, Group.EXPECTATIONS))
    assert outcomes(with_suites(comparison(*rows, whole=False), infers)) == [Outcome.UNCHECKED]
    write("resume", {"type": "expect_miracles", "kwargs": {}})
    with pytest.raises(UsageError, match=r"the suite resume\.json cannot be run"):
        with_suites(comparison(), OWN)


@pytest.mark.pipeline
def test_the_gate_runs_them_too() -> None:
    loose = Policy(suites="suites", tolerances=Policy().tolerances)
    write("variables", {"type": "expect_column_max_to_be_between", "kwargs": {"column": "max_abs", "max_value": 0.5}})
    built = build(Path(), changed={f"before/{ENCODER}": values()[f"before/{ENCODER}"] + np.float32(0.75)})
    built.record(RECORDS)
    compared = with_suites(compare([built.subject], EVIDENCE, read_records()), loose)
    assert outcomes(compared) == [Outcome.BROKEN]
    write_json(Path("reports") / VERDICT, to_dict(judge(compared, loose)))
    again = gate([built.subject], read_records(), EVIDENCE, Path("reports") / VERDICT, loose)
    assert (again.objections, outcomes(again.comparison)) == ((), [Outcome.BROKEN])
