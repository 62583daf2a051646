"""From a verdict to what became of a damage."""

from reloadgate.comparison import ModelComparison
from reloadgate.drill.advice import advice_for
from reloadgate.drill.copies import Copy, altered
from reloadgate.drill.damages.damage import Damage
from reloadgate.drill.trials import Outcome, Trial
from reloadgate.evidence import Artifact, Depth, Group
from reloadgate.policy import Policy
from reloadgate.remedies import unlooked
from reloadgate.verdict import BAD, Finding, ModelVerdict, Status

AGAIN = (Group.ROUND_TRIP, Group.RELOCATION)
BEYOND = {
    Depth.STATE: (Group.PREDICTIONS, Group.DETERMINISM, Group.RESUME, *AGAIN),
    Depth.BEHAVIOUR: AGAIN,
    Depth.AGAIN: (),
}
"""Groups that no reload of a depth looks at."""


def waits_for_more(verdict: ModelVerdict, depth: Depth) -> bool:
    """Whether nothing at this depth caught a damage: all that keeps the verdict from PASS is what lies beyond it."""
    bad = [finding for finding in verdict.findings if finding.status in BAD]
    return depth is not Depth.AGAIN and all(unlooked(finding.row) and finding.row.group in BEYOND[depth] for finding in bad)


def judged_trial(copy: Copy, damage: Damage, compared: ModelComparison, verdict: ModelVerdict, policy: Policy) -> Trial:
    """What became of a damage whose copy was verified."""
    original = copy.original
    if verdict.status is not Status.PASS:
        groups = tuple(dict.fromkeys(str(finding.row.group) for finding in _telling(verdict.findings)))
        return told_trial(original.name, copy.artifacts, damage, Outcome.CAUGHT, first_of(verdict), by=groups)
    by_digest = damage.matched and any(altered(copy.recorded, facts.files) for facts in compared.artifacts)
    outcome = Outcome.DIGEST if by_digest else Outcome.SURVIVED
    reason = "digests apart, nothing that was looked at is worse than the policy allows"
    advice = advice_for(verdict, policy, original, original.recorded)
    return told_trial(original.name, copy.artifacts, damage, outcome, reason, advice=advice)


def told_trial(
    model: str,
    artifacts: tuple[Artifact, ...],
    damage: Damage,
    outcome: Outcome,
    reason: str,
    by: tuple[str, ...] = (),
    advice: tuple[str, ...] = (),
) -> Trial:
    return Trial(
        model=model, artifact=about(artifacts), area=damage.area, damage=damage.name, imitates=damage.imitates, seen=damage.seen,
        outcome=outcome, by=by, reason=reason, advice=advice,
    )  # fmt: skip


def about(artifacts: tuple[Artifact, ...]) -> str:
    """The artifacts of a copy, for people."""
    return " + ".join(artifact.path for artifact in artifacts)


def first_of(verdict: ModelVerdict) -> str:
    """What the first finding that is not as it should be says."""
    first = min(_telling(verdict.findings), key=lambda finding: BAD.index(finding.status))
    return f"{first.row.group}: {first.row.subject}: {first.message}"[:400]


def _telling(findings: tuple[Finding, ...]) -> list[Finding]:
    """The findings that are not as they should be; those of groups that nobody could look at say nothing of their own."""
    bad = [finding for finding in findings if finding.status in BAD]
    return [finding for finding in bad if not unlooked(finding.row)] or bad
