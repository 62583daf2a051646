"""`judge`: comparison and policy to verdict. Pure, quick, three outcomes, NaN explicit."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from reloadgate.comparison import ArtifactFacts, Comparison, Difference, ModelComparison, Outcome, Row
from reloadgate.evidence import TO_RESUME, Capability, Group
from reloadgate.nouns import SCHEMA_VERSION, noun
from reloadgate.policy import Containment, Location, OwnLoader, Policy, RandomState, Relative
from reloadgate.remedies import remedy
from reloadgate.remote import PUSHED, is_of_remote
from reloadgate.verdict import Finding, ModelVerdict, Status, Verdict, worst

COMPUTED = (Group.PREDICTIONS, Group.RESUME)
"""What is computed may differ in another environment; what is read from a file may not."""

ALWAYS = (
    Group.EVIDENCE,
    Group.INSPECT,
    Group.INTEGRITY,
    Group.LOCATION,
    Group.CONTAINMENT,
    Group.LOAD,
    Group.STRUCTURE,
    Group.WEIGHTS,
    Group.PREDICTIONS,
    Group.DETERMINISM,
    Group.RELOCATION,
    Group.ROUND_TRIP,
)
"""Of these, and of those of `TO_RESUME` where it must, a group without a single row is one that nobody looked at."""


SAID_IN_ULPS = 10_000
"""Beyond this many units in the last place the number says no more than the difference does."""


def judge(comparison: Comparison, policy: Policy) -> Verdict:
    """Judge every row; the whole is as bad as its worst row, and an empty comparison is UNVERIFIED."""
    models = tuple(_judge_model(model, policy) for model in comparison.models)
    status = worst({model.status for model in models})
    return Verdict(schema_version=SCHEMA_VERSION, status=status, reason=_reason(models), policy=policy, models=models)


def _judge_model(model: ModelComparison, policy: Policy) -> ModelVerdict:
    facts = {one.artifact: one for one in model.artifacts}
    findings = tuple(judge_row(row, policy, facts.get(row.artifact)) for row in rows_to_judge(model, policy))
    return ModelVerdict(
        model=model.model,
        version=model.version,
        status=worst({finding.status for finding in findings}),
        saved_sha256=model.saved_sha256,
        files={one.artifact: one.files for one in model.artifacts},
        environment_changes=tuple(sorted({change for one in model.artifacts for change in one.environment_changes})),
        findings=findings,
    )


def rows_to_judge(model: ModelComparison, policy: Policy) -> tuple[Row, ...]:
    """The rows that count, one for every group that nobody looked at, and what each artifact is required to do and can do."""
    required = {one.artifact: _required(one, policy) for one in model.artifacts}
    rows = tuple(_not_required(row) if required.get(row.artifact) is Capability.INFER else row for row in model.rows)
    return (*rows, *_unlooked(model, required), *_capabilities(model, required, policy), *_unasked(model, policy))


def _required(facts: ArtifactFacts, policy: Policy) -> Capability:
    """What the policy asks of an artifact: what it says of the format, else what of the version, if the format can do that.

    The user's own loader must resume unless the policy says otherwise of it by name.
    """
    inferring = policy.requires.version == Capability.INFER and facts.format != "own"
    return Capability(getattr(policy.requires, facts.format) or (Capability.INFER if inferring else facts.capability))


def _not_required(row: Row) -> Row:
    """A row of what only training needs, where inference is all that is required: told, and nothing fails by it."""
    if row.group not in TO_RESUME or row.outcome in (Outcome.SAME, Outcome.SKIPPED):
        return row
    detail = f"{row.outcome}: {row.detail}; the policy requires that it can infer, and no more"
    return replace(row, outcome=Outcome.SKIPPED, detail=detail)


def _unlooked(model: ModelComparison, required: Mapping[str, Capability]) -> Iterator[Row]:
    """A row for every group that has none and should: nothing checked is not a pass."""
    for artifact in model.artifacts or ():
        present = {row.group for row in model.rows if row.artifact in (artifact.artifact, "") and not is_of_remote(row)}
        wanted = (*ALWAYS, *(TO_RESUME if required[artifact.artifact] is Capability.RESUME else ()))
        for group in wanted:
            if group not in present:
                yield _unchecked(model.model, artifact.artifact, group, f"nothing of {group} was looked at")
    if not model.artifacts:
        yield _unchecked(model.model, "", Group.EVIDENCE, "no artifact was looked at")


def _unasked(model: ModelComparison, policy: Policy) -> Iterator[Row]:
    """A row for what the policy alone asks for, and nobody looked at."""
    if policy.pushed and not any(map(is_of_remote, model.rows)):
        yield replace(_unchecked(model.model, "", Group.LOCATION, "nobody asked the remote"), subject=PUSHED)
    if policy.suites and not any(row.group is Group.EXPECTATIONS for row in model.rows):
        yield replace(_unchecked(model.model, "", Group.EXPECTATIONS, "nobody ran the suites"), subject=policy.suites)


def _capabilities(model: ModelComparison, required: Mapping[str, Capability], policy: Policy) -> Iterator[Row]:
    resuming = False
    for facts in model.artifacts:
        wanted = required[facts.artifact]
        able = facts.capability is Capability.RESUME or wanted is Capability.INFER
        resuming |= facts.capability is Capability.RESUME and wanted is Capability.RESUME
        yield Row(
            model=model.model,
            artifact=facts.artifact,
            group=Group.AGREEMENT,
            subject="capability",
            outcome=Outcome.SKIPPED if able else Outcome.BROKEN,  # that it can is what its other rows prove
            detail=f"required: {wanted}" if able else f"the policy requires that it can resume, and it cannot: {facts.cannot}",
        )
    if model.artifacts and not resuming and policy.requires.version == Capability.RESUME:
        reasons = "; ".join(dict.fromkeys(facts.cannot for facts in model.artifacts if facts.cannot))
        yield Row(
            model=model.model,
            artifact="",
            group=Group.AGREEMENT,
            subject="capability",
            outcome=Outcome.BROKEN,
            detail=f"no artifact of this version can resume training: {reasons or 'the policy requires none to'}",
        )


def _unchecked(model: str, artifact: str, group: Group, detail: str) -> Row:
    return Row(model=model, artifact=artifact, group=group, subject="", outcome=Outcome.UNCHECKED, detail=detail)


def judge_row(row: Row, policy: Policy, facts: ArtifactFacts | None) -> Finding:
    """What the policy says of one row."""
    limit: Limit | None = None
    smallest: float | None = None
    match row.outcome:
        case Outcome.DIFFERS if row.difference is not None:
            limit = _limit(row, row.difference, policy, facts is not None and facts.same_environment)
            status, message, smallest = _judge_difference(row, row.difference, policy, limit)
        case Outcome.LOST:
            status = _LOST[policy.random_state]
            message = f"{row.detail}; the policy wants it in: {policy.random_state}"
        case Outcome.BROKEN if row.group is Group.LOCATION and policy.location == Location.ANY:
            status, message = Status.NOTED, f"{row.detail} (allowed by location: any)"
        case Outcome.BROKEN if row.group is Group.CONTAINMENT and policy.containment == Containment.NOTED:
            status, message = Status.NOTED, f"{row.detail} (allowed by containment: noted)"
        case Outcome.BROKEN if row.group is Group.EVIDENCE:  # not the model: the checking of it
            status, message = Status.ERROR, row.detail
        case Outcome.SKIPPED if row.group is Group.INSPECT:  # of what the user's own loader reads
            strict = policy.own_loader == OwnLoader.STRICT
            status, message = (Status.FAIL if strict else Status.NOTED), f"{row.detail} (own_loader: {policy.own_loader})"
        case Outcome.SAME if row.group is Group.RESUME and row.noise > policy.noise_cap * row.scale:
            # The same once may be luck.
            again = "the same steps came to something else when they were taken again at save, by state that cannot be put back"
            status, message = Status.UNVERIFIED, f"the same, but {again}: {_above_cap(row, policy)}"
        case Outcome.SAME:
            status, message = Status.PASS, row.seen or "the same"
        case Outcome.UNCHECKED:
            status, message = Status.UNVERIFIED, row.detail
        case Outcome.SKIPPED:
            status, message = Status.SKIPPED, row.detail
        case Outcome.NOTED:
            status, message = Status.NOTED, _sentence(row)
        case Outcome.NOT_EXERCISED:
            status, message = Status.NOTED, f"{row.outcome}: {_sentence(row)}"
        case _:
            status, message = Status.FAIL, _sentence(row)
    advice = remedy(row) if status in (Status.FAIL, Status.UNVERIFIED, Status.ERROR) else ""
    return Finding(
        row=row,
        status=status,
        message=message,
        limit=limit.allowed if limit else None,
        smallest_tolerance=smallest,
        setting=limit.setting if limit else "",
        remedy=advice,
    )


_LOST = {
    RandomState.ARTIFACT: Status.FAIL,
    RandomState.VERSION: Status.NOTED,
    RandomState.IGNORED: Status.SKIPPED,
}


def _sentence(row: Row) -> str:
    sentence = row.detail or str(row.outcome)
    if row.difference is not None:
        sentence += f"; largest difference {row.difference.max_abs:.6g}, and no tolerance excuses it"
    if row.expected:
        return f"{sentence}; expected {row.expected}, seen {row.seen or 'nothing'}"
    return f"{sentence}: {row.seen}" if row.seen else sentence


@noun
class Limit:
    """What applies to one difference: all in one unit, absolute here and relative to the signal elsewhere."""

    allowed: float
    measured: float
    signal: float
    setting: str


def tolerance_of(group: Group) -> str:
    """The setting of `tolerances` that a group has: artifacts agree with one another as far as their predictions may drift."""
    return str(Group.PREDICTIONS if group is Group.AGREEMENT else group)


def _limit(row: Row, difference: Difference, policy: Policy, same_environment: bool) -> Limit:
    if same_environment or row.group not in COMPUTED:
        group = tolerance_of(row.group)
        allowed = float(getattr(policy.tolerances, group, 0.0))
        setting = f"tolerances.{group}" if hasattr(policy.tolerances, group) else ""
        return Limit(allowed=allowed, measured=difference.max_abs, signal=row.scale, setting=setting)
    section: Relative = getattr(policy.other_environment, str(row.group))
    dtype = row.dtype if hasattr(section, row.dtype) else "float64"
    return Limit(
        allowed=getattr(section, dtype),
        measured=difference.max_abs / row.scale if row.scale else difference.max_abs,
        # Relative to nothing there is no tolerance: where all was zero, none is below the signal.
        signal=1.0 if row.scale else 0.0,
        setting=f"other_environment.{row.group}.{dtype}",
    )


def _judge_difference(row: Row, difference: Difference, policy: Policy, limit: Limit) -> tuple[Status, str, float | None]:
    """Status, sentence, and the smallest tolerance that would pass; None where none would."""
    about = "about " if difference.estimated else ""
    in_ulps = difference.max_ulp is not None and difference.max_ulp < SAID_IN_ULPS
    ulps = f", {difference.max_ulp} ULP" if in_ulps else ""
    sentence = f"{row.detail or 'it differs'}: largest difference {about}{difference.max_abs:.6g}{ulps}"
    if not all(math.isfinite(number) for number in (difference.max_abs, row.noise, row.scale)):
        return Status.FAIL, f"{sentence}: no tolerance excuses what is no number", None
    if row.noise > policy.noise_cap * row.scale:
        return Status.UNVERIFIED, f"{sentence}; {_above_cap(row, policy)}", None
    if difference.max_abs <= row.noise:
        return Status.PASS, f"{sentence}, within the noise floor {row.noise:.3g}", None
    if row.flips is not None and row.flips > policy.flips:
        return Status.FAIL, f"{sentence}; the policy allows {policy.flips} flips", None
    could_pass = limit.measured < limit.signal
    if limit.measured > limit.allowed:
        needed = f"the smallest that would pass is {limit.measured!r}" if could_pass else "it is as large as the signal"
        return Status.FAIL, f"{sentence}; the policy allows {limit.allowed:g}, {needed}", limit.measured if could_pass else None
    if limit.allowed >= limit.signal:
        reason = f"the tolerance {limit.allowed:g} is not below the signal {limit.signal:.3g}, so nothing could fail"
        return Status.UNVERIFIED, f"{sentence}; {reason}", limit.measured if could_pass else None
    return Status.PASS, f"{sentence}, within the tolerance {limit.allowed:g}", limit.measured


def _above_cap(row: Row, policy: Policy) -> str:
    return f"the noise floor {row.noise:.3g} is above the cap of {policy.noise_cap:g} of the signal {row.scale:.3g}"


def _reason(models: tuple[ModelVerdict, ...]) -> str:
    if not models:
        return "no model was looked at"
    counts = {status: sum(model.status is status for model in models) for status in Status}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)
