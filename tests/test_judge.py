"""`judge`: comparison and policy to verdict; what was not checked, or is no number, never passes."""

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from builders import comparison, difference, row
from reloadgate.comparison import Comparison, Outcome, Row
from reloadgate.evidence import Capability, Group
from reloadgate.judge import judge
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.policy import OtherEnvironment, Policy, Relative, Tolerances, policy_from
from reloadgate.verdict import EXIT_CODES, Finding, Status, Verdict, worst

DEFAULT = Policy()
BEST = {
    Outcome.SAME: Status.PASS,
    Outcome.DIFFERS: Status.FAIL,
    Outcome.CHANGED: Status.FAIL,
    Outcome.MISSING: Status.FAIL,
    Outcome.EXTRA: Status.FAIL,
    Outcome.SWAPPED: Status.FAIL,
    Outcome.BROKEN: Status.FAIL,
    Outcome.LOST: Status.NOTED,
    Outcome.NOT_EXERCISED: Status.NOTED,
    Outcome.UNCHECKED: Status.UNVERIFIED,
    Outcome.SKIPPED: Status.SKIPPED,
    Outcome.NOTED: Status.NOTED,
}
BROKE = {(Group.EVIDENCE, Outcome.BROKEN): Status.ERROR}
"""The checking, and not the model."""
BAD = (Status.FAIL, Status.UNVERIFIED, Status.ERROR)
EXCUSED = BROKE | {(Group.CONTAINMENT, Outcome.BROKEN): Status.NOTED, (Group.INSPECT, Outcome.SKIPPED): Status.NOTED}
"""Where the default policy tells and does not fail, or tells what is no more than skipped elsewhere."""
WITH_TOLERANCE = [Group(name) for name in Tolerances.__dataclass_fields__]
TO_INFER = (
    Group.EVIDENCE,
    Group.INSPECT,
    Group.INTEGRITY,
    Group.LOCATION,
    Group.CONTAINMENT,
    Group.LOAD,
    Group.STRUCTURE,
    Group.WEIGHTS,
    Group.PREDICTIONS,
)
TO_RESUME = (Group.COMPILE, Group.OPTIMIZER, Group.RESUME)
TRIED = (Group.DETERMINISM, Group.RELOCATION, Group.ROUND_TRIP)
DTYPES = tuple(Relative.__dataclass_fields__)


def judged(one: Row, policy: Policy = DEFAULT, **facts: Any) -> Finding:
    """What the policy says of one row, beside others that all are the same."""
    verdict = judge(comparison(one, **facts), policy)
    assert verdict.status is worst({finding.status for finding in verdict.findings})
    return verdict.findings[0]


def drift(max_abs: float, group: Group = Group.PREDICTIONS, **fields: Any) -> Row:
    return row(group, Outcome.DIFFERS, difference=difference(max_abs), **fields)


def policy(*overrides: str) -> Policy:
    return policy_from(None, overrides)


def elsewhere(tolerance: float) -> OtherEnvironment:
    """The same relative tolerance for every dtype."""
    same = Relative(**dict.fromkeys(DTYPES, tolerance))
    return OtherEnvironment(predictions=same, resume=same)


# What every row comes to


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_in_every_group_has_its_status(outcome: Outcome) -> None:
    for group in Group:
        finding = judged(row(group, outcome, detail="what it means"))
        assert finding.status is EXCUSED.get((group, outcome), BEST[outcome]), group
        assert finding.message
        assert bool(finding.remedy) == (finding.status in BAD), group


@pytest.mark.parametrize(
    ("setting", "status"), [("artifact", Status.FAIL), ("version", Status.NOTED), ("ignored", Status.SKIPPED)]
)
def test_lost_random_state_is_what_the_policy_says(setting: str, status: Status) -> None:
    finding = judged(row(Group.RANDOM_STATE, Outcome.LOST), policy(f"random_state={setting}"))
    assert finding.status is status
    assert setting in finding.message


@pytest.mark.parametrize("outcome", Outcome)
def test_any_location_excuses_a_broken_location_and_nothing_else(outcome: Outcome) -> None:
    excused = EXCUSED | {(Group.LOCATION, Outcome.BROKEN): Status.NOTED}
    for group in Group:
        finding = judged(row(group, outcome), policy("location=any"))
        assert finding.status is excused.get((group, outcome), BEST[outcome]), group


@pytest.mark.parametrize("outcome", Outcome)
def test_what_is_required_of_containment_and_of_own_loaders_excuses_nothing(outcome: Outcome) -> None:
    for group in Group:
        finding = judged(row(group, outcome), policy("containment=required", "own_loader=strict"))
        refused = {(Group.INSPECT, Outcome.SKIPPED): Status.FAIL} | BROKE
        assert finding.status is refused.get((group, outcome), BEST[outcome]), group
        assert bool(finding.remedy) == (finding.status in BAD), group


@pytest.mark.parametrize("group", [Group.RELOCATION, Group.ROUND_TRIP])
def test_what_was_not_held_against_the_first_load_is_blamed_on_no_file(group: Group) -> None:
    broken, unchecked = (judged(row(group, outcome)).remedy for outcome in (Outcome.BROKEN, Outcome.UNCHECKED))
    assert "predictions" in unchecked
    assert unchecked != broken


# Nothing checked is not a pass


def test_a_whole_comparison_where_all_is_the_same_passes() -> None:
    verdict = judge(comparison(), DEFAULT)
    assert (verdict.status, verdict.exit_code, verdict.reason) == (Status.PASS, 0, "1 PASS")
    assert {finding.status for finding in verdict.findings if finding.row.subject != "capability"} == {Status.PASS}


def test_an_empty_comparison_is_unverified() -> None:
    verdict = judge(Comparison(schema_version=SCHEMA_VERSION, models=()), DEFAULT)
    assert (verdict.status, verdict.exit_code, verdict.reason) == (Status.UNVERIFIED, 3, "no model was looked at")


@pytest.mark.parametrize("artifacts", [{}, {"artifacts": ()}], ids=["with an artifact", "without an artifact"])
def test_a_model_without_rows_is_unverified(artifacts: dict[str, Any]) -> None:
    assert judge(comparison(whole=False, **artifacts), DEFAULT).status is Status.UNVERIFIED


def test_a_model_without_an_artifact_is_unverified_whatever_its_rows_say() -> None:
    assert judge(comparison(artifacts=()), DEFAULT).status is Status.UNVERIFIED


def without(group: Group, requires: Capability) -> Verdict:
    whole = comparison().models[0]
    facts = tuple(replace(one, capability=requires) for one in whole.artifacts)
    return judge(
        comparison(*(one for one in whole.rows if one.group is not group), whole=False, artifacts=facts),
        policy(f"requires.version={requires}"),
    )


@pytest.mark.parametrize("group", [*TO_INFER, *TO_RESUME, *TRIED])
def test_a_group_that_nobody_looked_at_is_unverified_and_named(group: Group) -> None:
    verdict = without(group, Capability.RESUME)
    assert verdict.status is Status.UNVERIFIED
    assert [finding.row.group for finding in verdict.of(Status.UNVERIFIED)] == [group]
    assert str(group) in verdict.of(Status.UNVERIFIED)[0].message


@pytest.mark.parametrize("group", [*TO_INFER, *TO_RESUME])
def test_what_only_resuming_needs_is_not_missed_where_inference_is_all_that_is_required(group: Group) -> None:
    assert without(group, Capability.INFER).status is (Status.PASS if group in TO_RESUME else Status.UNVERIFIED)


@pytest.mark.parametrize("outcome", [Outcome.SKIPPED, Outcome.NOTED, Outcome.NOT_EXERCISED, Outcome.LOST])
def test_rows_that_were_all_skipped_or_noted_are_unverified(outcome: Outcome) -> None:
    assert judge(comparison(*(row(group, outcome) for group in Group)), DEFAULT).status is Status.UNVERIFIED


def test_an_artifact_of_which_nothing_was_seen_is_unverified_although_another_is_whole() -> None:
    (facts,) = comparison().models[0].artifacts
    verdict = judge(comparison(artifacts=(facts, replace(facts, artifact="checkpoint"))), DEFAULT)
    assert verdict.status is Status.UNVERIFIED
    assert {finding.row.artifact for finding in verdict.of(Status.UNVERIFIED)} == {"checkpoint"}


GENEROUS = Policy(tolerances=Tolerances(predictions=0.75, weights=0.75), other_environment=elsewhere(0.75))
NO_NUMBER = {
    "infinity": drift(math.inf),
    "infinite noise": drift(0.5, noise=math.inf),
}
NAN = {
    "NaN": drift(math.nan),
    "NaN noise": drift(0.5, noise=math.nan),
    "NaN scale": drift(0.5, scale=math.nan),
    "no difference": row(Group.WEIGHTS, Outcome.DIFFERS, difference=None),
}


@pytest.mark.parametrize("what", [*NO_NUMBER, *NAN])
@pytest.mark.parametrize("same_environment", [True, False])
def test_a_difference_that_is_no_number_does_not_pass(what: str, same_environment: bool) -> None:
    one = (NO_NUMBER | NAN)[what]
    assert judged(one, GENEROUS, same_environment=same_environment).status in (Status.FAIL, Status.UNVERIFIED)


@pytest.mark.parametrize("same_environment", [True, False])
def test_where_all_was_zero_no_tolerance_is_below_the_signal(same_environment: bool) -> None:
    assert judged(drift(0.5, scale=0.0), GENEROUS, same_environment=same_environment).status is Status.UNVERIFIED


# Tolerances


@pytest.mark.parametrize("group", WITH_TOLERANCE)
def test_a_tolerance_is_met_exactly(group: Group) -> None:
    for tolerance, status in ((0.25, Status.PASS), (math.nextafter(0.25, 0), Status.FAIL), (0.0, Status.FAIL)):
        finding = judged(drift(0.25, group), policy(f"tolerances.{group}={tolerance!r}"))
        assert (finding.status, finding.limit, finding.setting) == (status, tolerance, f"tolerances.{group}")


@pytest.mark.parametrize("group", sorted(set(Group) - {*WITH_TOLERANCE, Group.AGREEMENT}))
def test_a_group_without_a_tolerance_has_none(group: Group) -> None:
    generous = Policy(tolerances=Tolerances(**dict.fromkeys(Tolerances.__dataclass_fields__, 1.0)))
    finding = judged(drift(1e-9, group), generous)
    assert (finding.status, finding.limit, finding.setting) == (Status.FAIL, 0.0, "")


POSITIVE = st.floats(min_value=5e-324, max_value=1e300)


@given(POSITIVE, POSITIVE, st.sampled_from(WITH_TOLERANCE), st.booleans(), st.sampled_from(DTYPES))
@example(0.1, 0.3, Group.PREDICTIONS, False, "float32")
@settings(max_examples=60, deadline=None, database=None)
def test_the_smallest_tolerance_that_is_named_passes_and_nothing_smaller_does(
    max_abs: float, scale: float, group: Group, same_environment: bool, dtype: str
) -> None:
    assume(max_abs < scale and 0 < max_abs / scale < 1)
    one = drift(max_abs, group, scale=scale, dtype=dtype)
    finding = judged(one, Policy(other_environment=elsewhere(0)), same_environment=same_environment)
    smallest = finding.smallest_tolerance
    assert finding.status is Status.FAIL
    assert smallest is not None
    for tolerance, status in ((smallest, Status.PASS), (math.nextafter(smallest, 0), Status.FAIL)):
        if finding.setting.startswith("tolerances."):
            again = policy(f"{finding.setting}={tolerance!r}")
        else:
            again = Policy(other_environment=elsewhere(tolerance))
        assert judged(one, again, same_environment=same_environment).status is status


def test_the_tolerance_that_the_message_names_passes() -> None:
    one = drift(0.1234567891234)
    named = re.search(r"would pass is (\S+)", judged(one).message)
    assert named is not None
    assert judged(one, policy(f"tolerances.predictions={named[1]}")).status is Status.PASS


@pytest.mark.parametrize("one", [drift(2.0), drift(3.0), drift(0.5, scale=0.0), drift(0.5, flips=1)])
def test_no_tolerance_is_named_where_none_would_pass(one: Row) -> None:
    finding = judged(one)
    assert finding.status is Status.FAIL
    assert finding.smallest_tolerance is None
    assert "would pass" not in finding.message


@pytest.mark.parametrize(("tolerance", "status"), [(1.9, Status.PASS), (2.0, Status.UNVERIFIED), (9.0, Status.UNVERIFIED)])
def test_a_tolerance_that_is_not_below_the_signal_verifies_nothing(tolerance: float, status: Status) -> None:
    assert judged(drift(1.5, scale=2.0), policy(f"tolerances.predictions={tolerance}")).status is status
    relative = tolerance / 2
    assert judged(drift(1.5, scale=2.0), Policy(other_environment=elsewhere(relative)), same_environment=False).status is status


@pytest.mark.parametrize(
    ("max_abs", "noise", "status"),
    [
        (1e-7, 1e-7, Status.PASS),
        (math.nextafter(1e-7, 1), 1e-7, Status.FAIL),
        (1e-6, 2e-6, Status.PASS),
        (1e-6, math.nextafter(2e-6, 1), Status.UNVERIFIED),
        (1.0, 1.0, Status.UNVERIFIED),
        (0.0, 1.0, Status.UNVERIFIED),
    ],
)
@pytest.mark.parametrize("same_environment", [True, False])
def test_the_noise_floor_excuses_up_to_its_cap(max_abs: float, noise: float, status: Status, same_environment: bool) -> None:
    strict = Policy(noise_cap=1e-6, other_environment=elsewhere(0))
    assert judged(drift(max_abs, scale=2.0, noise=noise), strict, same_environment=same_environment).status is status


@pytest.mark.parametrize(
    ("flips", "allowed", "status"), [(0, 0, Status.PASS), (1, 0, Status.FAIL), (2, 2, Status.PASS), (3, 2, Status.FAIL)]
)
def test_decisions_may_flip_as_often_as_the_policy_allows(flips: int, allowed: int, status: Status) -> None:
    assert judged(drift(0.1, flips=flips), policy("tolerances.predictions=0.5", f"flips={allowed}")).status is status


# Another environment


@pytest.mark.parametrize("group", [Group.PREDICTIONS, Group.RESUME])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_computed_elsewhere_is_judged_relative_to_the_signal_by_dtype(group: Group, dtype: str) -> None:
    allowed = getattr(getattr(DEFAULT.other_environment, str(group)), dtype)
    for max_abs, status in ((4 * allowed, Status.PASS), (4 * math.nextafter(allowed, 1), Status.FAIL)):
        finding = judged(drift(max_abs, group, scale=4.0, dtype=dtype), same_environment=False)
        assert (finding.status, finding.limit, finding.setting) == (status, allowed, f"other_environment.{group}.{dtype}")
        assert judged(drift(max_abs, group, scale=4.0, dtype=dtype)).status is Status.FAIL


@pytest.mark.parametrize("dtype", ["int64", "", "uint8"])
def test_a_dtype_without_a_tolerance_of_its_own_has_the_strictest(dtype: str) -> None:
    finding = judged(drift(1e-7, dtype=dtype), same_environment=False)
    assert (finding.status, finding.limit) == (Status.FAIL, DEFAULT.other_environment.predictions.float64)


def test_artifacts_agree_as_far_as_predictions_may_drift() -> None:
    finding = judged(drift(0.25, Group.AGREEMENT), policy("tolerances.predictions=0.25"))
    assert (finding.status, finding.setting) == (Status.PASS, "tolerances.predictions")
    assert judged(drift(0.25, Group.AGREEMENT), DEFAULT).status is Status.FAIL


# What an artifact is required to do


def able(*capabilities: Capability, rows: tuple[Row, ...] = ()) -> Comparison:
    """A whole comparison of as many artifacts; those that only infer are SavedModels."""
    (model,) = comparison().models
    (facts,) = model.artifacts
    artifacts = tuple(
        replace(
            facts,
            artifact=f"{number}",
            capability=one,
            format="keras" if one is Capability.RESUME else "saved_model",
            cannot="it cannot",
        )
        for number, one in enumerate(capabilities)
    )
    same = tuple(replace(row, artifact=one.artifact) for one in artifacts for row in model.rows)
    return replace(comparison(), models=(replace(model, artifacts=artifacts, rows=(*same, *rows)),))


def test_one_artifact_that_resumes_is_enough_and_none_is_not() -> None:
    assert judge(able(Capability.RESUME, Capability.INFER), DEFAULT).status is Status.PASS
    verdict = judge(able(Capability.INFER), DEFAULT)
    assert verdict.status is Status.FAIL
    assert "no artifact of this version can resume training: it cannot" in verdict.of(Status.FAIL)[0].message
    assert judge(able(Capability.INFER), policy("requires.version=infer")).status is Status.PASS


def test_a_policy_that_asks_too_much_of_a_format_fails_with_what_it_cannot() -> None:
    verdict = judge(able(Capability.RESUME, Capability.INFER), policy("requires.saved_model=resume"))
    assert verdict.status is Status.FAIL
    assert [f.message for f in verdict.of(Status.FAIL)] == ["the policy requires that it can resume, and it cannot: it cannot"]


def test_where_inference_is_required_what_only_training_needs_does_not_fail() -> None:
    lost = row(Group.OPTIMIZER, Outcome.MISSING, artifact="1", detail="no slots")
    both = able(Capability.RESUME, Capability.RESUME, rows=(lost,))
    assert judge(both, DEFAULT).status is Status.FAIL
    # Each artifact is of the format keras, so the requirement frees both, and the version needs one that resumes.
    assert judge(both, policy("requires.keras=infer")).status is Status.FAIL
    free = judge(both, policy("requires.version=infer"))
    assert free.status is Status.PASS
    assert any("no slots; the policy requires that it can infer, and no more" in f.message for f in free.of(Status.SKIPPED))


@pytest.mark.parametrize("group", sorted(set(Group) - {Group.PREDICTIONS, Group.RESUME}))
def test_what_is_read_from_a_file_is_exact_in_every_environment(group: Group) -> None:
    assert judged(drift(1e-12, group), same_environment=False).status is Status.FAIL


def test_another_environment_is_said_in_the_verdict() -> None:
    assert judge(comparison(same_environment=False), DEFAULT).models[0].environment_changes == ("cpus: 2 → 8",)


# The whole


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (set(), Status.UNVERIFIED),
        ({Status.NOTED, Status.SKIPPED}, Status.UNVERIFIED),
        ({Status.PASS, Status.NOTED, Status.SKIPPED}, Status.PASS),
        ({Status.PASS, Status.UNVERIFIED}, Status.UNVERIFIED),
        ({Status.PASS, Status.UNVERIFIED, Status.ERROR}, Status.ERROR),
        (set(Status), Status.FAIL),
    ],
)
def test_fail_outweighs_error_outweighs_unverified_outweighs_pass(statuses: set[Status], whole: Status) -> None:
    assert worst(statuses) is whole


def test_the_exit_code_is_that_of_the_status() -> None:
    assert EXIT_CODES == {Status.PASS: 0, Status.FAIL: 1, Status.UNVERIFIED: 3, Status.ERROR: 3}
    rows = {0: row(Group.LOAD), 1: row(Group.LOAD, Outcome.BROKEN), 3: row(Group.LOAD, Outcome.UNCHECKED)}
    assert {code: judge(comparison(one), DEFAULT).exit_code for code, one in rows.items()} == {0: 0, 1: 1, 3: 3}


def test_one_model_that_fails_outweighs_all_that_pass() -> None:
    good, bad = comparison(), comparison(row(Group.LOAD, Outcome.BROKEN), model="diabetes")
    verdict = judge(replace(good, models=good.models + bad.models), DEFAULT)
    assert [model.status for model in verdict.models] == [Status.PASS, Status.FAIL]
    assert (verdict.status, verdict.reason) == (Status.FAIL, "1 PASS, 1 FAIL")


def test_a_verdict_carries_the_policy_and_the_files_that_it_is_about() -> None:
    settings_, compared = policy("flips=2"), comparison()
    verdict = judge(compared, settings_)
    assert verdict.policy == settings_
    assert verdict.models[0].files == {facts.artifact: facts.files for facts in compared.models[0].artifacts}
    assert verdict == judge(compared, settings_)


def test_steps_that_came_to_something_else_at_save_prove_nothing_by_being_the_same_once() -> None:
    strict = Policy(noise_cap=1e-6)
    same = row(Group.RESUME, Outcome.SAME, scale=2.0)
    assert judged(replace(same, noise=1e-6), strict).status is Status.PASS
    assert judged(replace(same, noise=1e-3), strict).status is Status.UNVERIFIED
