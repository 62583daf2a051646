"""The policy as a Great Expectations suite says exactly what the pure judge says."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reloadgate.comparison import ArtifactFacts, Comparison, Difference, ModelComparison, Outcome, Row
from reloadgate.evidence import Capability, Group
from reloadgate.expectations import Checked, agreed, check
from reloadgate.judge import ALWAYS, TO_RESUME, judge
from reloadgate.policy import Policy, policy_from
from reloadgate.verdict import Status

pytestmark = pytest.mark.pipeline

MAGNITUDES = st.sampled_from([1e-9, 1e-6, 1e-5, 1e-3, 0.5, 2.0])
DTYPES = st.sampled_from(["float32", "float16", "float64", "int64", "bfloat16"])


@st.composite
def rows(draw: st.DrawFn) -> Row:
    outcome = draw(st.sampled_from([Outcome.DIFFERS, Outcome.DIFFERS, Outcome.SAME, *Outcome]))
    largest = draw(MAGNITUDES)
    difference = Difference(max_abs=largest, mean_abs=largest, max_rel=largest, max_ulp=None, differing=1, estimated=False)
    return Row(
        model="m",
        artifact="model.keras",
        group=draw(st.sampled_from([Group.PREDICTIONS, Group.RESUME, *Group])),
        subject="s",
        outcome=outcome,
        difference=difference if outcome is Outcome.DIFFERS else None,
        dtype=draw(DTYPES),
        scale=draw(st.sampled_from([0.0, 1e-4, 1.0, 100.0])),
        noise=draw(st.sampled_from([0.0, 0.0, 1e-8, 1e-5, 1.0])),
        flips=draw(st.sampled_from([None, 0, 1, 3])),
    )


def comparison_of(found: list[Row], same_environment: bool) -> Comparison:
    facts = ArtifactFacts(
        artifact="model.keras", format="keras", cannot="",
        capability=Capability.RESUME, same_environment=same_environment, environment_changes=(),
        files={"model.keras": "0"}, bytes=1, reload_seconds=1.0, losses={},
    )  # fmt: skip
    whole = [
        Row(model="m", artifact="model.keras", group=group, subject="all", outcome=Outcome.SAME)
        for group in (*ALWAYS, *TO_RESUME)
    ]
    model = ModelComparison(model="m", version="v", saved_sha256="0", artifacts=(facts,), rows=tuple(whole + found))
    return Comparison(schema_version="1.0", models=(model,))


POLICIES = st.sampled_from(
    [
        {},
        {"random_state": "artifact"},
        {"random_state": "ignored", "location": "any"},
        {"tolerances": {"weights": 1e-5, "resume": 1e-3, "predictions": 0.5}, "flips": 1},
        {"tolerances": {"optimizer": 2.0, "assets": 2.0, "compile": 1e-6}, "noise_cap": 1.0},
    ]
)


SAME_BY_LUCK = Row(
    model="m",
    artifact="model.keras",
    group=Group.RESUME,
    subject="s",
    outcome=Outcome.SAME,
    dtype="float32",
    scale=1.0,
    noise=0.5,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(rows(), max_size=5), st.booleans(), POLICIES)
@example([SAME_BY_LUCK], True, {})
@example([replace(SAME_BY_LUCK, scale=0.0)], False, {})
@example([replace(SAME_BY_LUCK, group=Group.WEIGHTS)], True, {})
def test_the_suite_succeeds_exactly_where_the_judge_passes(found: list[Row], same: bool, setting: dict) -> None:
    policy = policy_from(setting)
    comparison = comparison_of(found, same)
    verdict = judge(comparison, policy)
    checked = check(comparison, policy)
    assert checked.success == (verdict.status is Status.PASS), (verdict.of(Status.FAIL, Status.UNVERIFIED), checked.failures)
    assert agreed(verdict, checked) == verdict


NOTHING_LOOKED_AT = ModelComparison(model="m", version="v", saved_sha256=None, artifacts=(), rows=())


@pytest.mark.parametrize("models", [(), (NOTHING_LOOKED_AT,)], ids=["no model", "a model without rows"])
def test_an_empty_comparison_does_not_succeed(models: tuple[ModelComparison, ...]) -> None:
    empty = Comparison(schema_version="1.0", models=models)
    assert not check(empty, Policy()).success
    assert judge(empty, Policy()).status is Status.UNVERIFIED


def test_a_missing_group_does_not_succeed() -> None:
    whole = comparison_of([], True)
    (model,) = whole.models
    less = replace(whole, models=(replace(model, rows=tuple(r for r in model.rows if r.group is not Group.WEIGHTS)),))
    assert check(whole, Policy()).success
    assert not check(less, Policy()).success


@pytest.mark.parametrize(("success", "status"), [(True, Status.FAIL), (False, Status.PASS)])
def test_disagreement_is_an_error(success: bool, status: Status) -> None:
    comparison = comparison_of([], True)
    verdict = judge(comparison, Policy())
    said = agreed(replace(verdict, status=status), Checked(success=success, expectations=3, failures=("f",)))
    assert (said.status, said.exit_code) == (Status.ERROR, 3)
    assert agreed(verdict, Checked(success=True, expectations=0, failures=())).status is Status.ERROR


def test_great_expectations_brings_no_warnings_of_its_own() -> None:
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        check(comparison_of([], True), Policy())
    assert not raised


def test_data_docs_of_a_failure_replace_those_of_a_success(tmp_path: Path) -> None:
    docs = tmp_path / "reports/docs"
    check(comparison_of([], True), Policy(), docs)
    assert said_in(docs) == ["Succeeded"] * 5, "a suite a table"
    wrong = Row(model="m", artifact="model.keras", group=Group.LOAD, subject="s", outcome=Outcome.BROKEN)
    assert not check(comparison_of([wrong], True), Policy(), docs).success
    assert said_in(docs) == ["Failed", *["Succeeded"] * 4], "the table that the row stands in"
    assert (docs / "index.html").is_file()
    assert [path.name for path in docs.parent.iterdir()] == ["docs"]


def said_in(docs: Path) -> list[str]:
    """What the page of every suite says of the whole."""
    pages = (page.read_text() for page in docs.glob("validations/**/*.html"))
    return sorted(re.findall(r"</i>\s*(Succeeded|Failed)\s*</span>", page)[0] for page in pages)
