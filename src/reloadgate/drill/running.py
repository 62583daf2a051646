"""A drill: copies are damaged, verified by the engine all together, and each is told what became of it.

Every copy is verified with a manifest and a record that match it, as if the save itself had made the damage. What the digests
would have said is told by those that the same reload took: a second reload of the same bytes would see the same, and of all rows
only those of the manifest and the record could be others. So the score rests on a whole verdict of the product's own.

A copy is looked at no deeper than it takes to catch it: what it holds, then what it predicts and how it trains, then what it is
when it is loaded again. The undamaged ones go through all of it, and must pass each time. A thorough drill lets every copy
predict and train, because only then it is known what one group of checks alone catches.
"""

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reloadgate.compare import compare
from reloadgate.drill.copies import Original, place_for
from reloadgate.drill.damages import DAMAGES
from reloadgate.drill.damages.damage import Damage
from reloadgate.drill.gating import gate_trials
from reloadgate.drill.outcomes import about, first_of, judged_trial, waits_for_more
from reloadgate.drill.preparing import Prepared, Preparing
from reloadgate.drill.trials import Area, Drill, Trial, score_of
from reloadgate.engine import Engine, EngineFor, EngineSettings, engine_for
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import Artifact, Capability, Depth
from reloadgate.files import remove_abandoned, scratch
from reloadgate.inspection import Limits
from reloadgate.judge import judge
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.policy import OwnLoader, Policy
from reloadgate.progress import Watch
from reloadgate.project import Subject, VersionRecord
from reloadgate.reload import ANY_ARTIFACT, NOBODY, reload
from reloadgate.suites import with_suites
from reloadgate.verdict import Status


def drill(
    subjects: Sequence[Subject],
    policy: Policy,
    settings: EngineSettings,
    *,
    records: Mapping[str, VersionRecord],
    damages: Iterable[Damage] = DAMAGES,
    sample: int | None = None,
    min_score: float | None = None,
    thorough: bool = False,
    inspecting: Limits = ANY_ARTIFACT,
    watch: Watch = NOBODY,
    engine: Engine | None = None,
) -> Drill:
    """Damage copies of model versions in every way that applies, verify each, and tell what would have passed.

    Args:
        policy: what the copies are judged by.
        records: what training recorded; a version without a record is drilled without one.
        sample: damages to try of each version, spread over the areas; default: all.
        min_score: the score, between 0 and 1, below which the drill fails; default: it tells the score, and that is all.
        thorough: let a copy predict and train even where what it holds tells already that it is damaged.
        inspecting: what the artifacts may be.
        engine: a running engine to reload in; default: one for this call.

    Raises:
        EngineError: the reloading processes could not be started or kept.
    """
    began = time.monotonic()
    run = _Run(policy, settings, watch, thorough, inspecting)
    originals = []
    for subject in subjects:
        try:
            record = next((one for one in records.values() if Path(one.path) == subject.directory), None)
            originals.append(Original(subject, record))
        except UnreadableRecordError as error:
            run.unfit[subject.name] = f"it has no evidence that can be read: {error}"
    start: EngineFor = (lambda seeds: contextlib.nullcontext(engine)) if engine else engine_for(settings)
    with contextlib.ExitStack() as stack:
        places = {}
        for place in {place_for(one.version) for one in originals}:
            place.mkdir(parents=True, exist_ok=True)
            remove_abandoned(place)
            places[place] = stack.enter_context(scratch("drill", place))
        if originals:
            running = stack.enter_context(start([original.saved.hash_seed for original in originals]))
            for batch in Preparing(places, tuple(damages), run.trials, sample).batches(originals):
                run.verify(batch, running, next(iter(places.values())) / "evidence")
    return _drill(run.trials, run.unfit, policy, min_score, thorough, time.monotonic() - began)


class _Run:
    """One drill at work."""

    def __init__(self, policy: Policy, settings: EngineSettings, watch: Watch, thorough: bool, inspecting: Limits) -> None:
        self._policy, self._settings, self._watch, self._inspecting = policy, settings, watch, inspecting
        self._depths = (Depth.BEHAVIOUR, Depth.AGAIN) if thorough else tuple(Depth)
        self.trials: list[Trial] = []
        self.unfit: dict[str, str] = {}

    def verify(self, batch: Sequence[Prepared], engine: Engine, evidence: Path) -> None:
        """Verify all copies of a batch at once, and tell of each what became of it."""
        left = list(batch)
        for depth in self._depths:
            left = self._reload(left, engine, evidence, depth)
        for one in batch:
            one.copy.remove()

    def _reload(self, batch: Sequence[Prepared], engine: Engine, evidence: Path, depth: Depth) -> list[Prepared]:
        """Reload copies and tell what became of them; those of which more has to be looked at are returned."""
        waiting = {one.name: one for one in batch}
        left = []
        subjects = [Subject(name=one.name, path=str(one.copy.version)) for one in batch]
        strict = self._policy.own_loader == OwnLoader.STRICT
        for subject in reload(
            subjects,
            evidence,
            lambda seeds: contextlib.nullcontext(engine),
            self._settings.limits,
            self._watch,
            strict=strict,
            inspecting=self._inspecting,
            depth=depth,
        ):
            prepared = waiting[subject.name]
            copy, records = prepared.copy, {subject.name: prepared.record} if prepared.record else None
            policy = _policy_for(copy.artifacts, self._policy)
            compared = with_suites(compare([subject], evidence, records), policy)
            verdict = judge(compared, policy).models[0]
            if waits_for_more(verdict, depth):
                left.append(prepared)
            elif prepared.damage is not None:
                self.trials.append(judged_trial(copy, prepared.damage, compared.models[0], verdict, policy))
            elif verdict.status is not Status.PASS:
                self.unfit[f"{copy.original.name} {about(copy.artifacts)}"] = first_of(verdict)
            elif copy.artifacts == copy.original.saved.artifacts[:1]:
                self.trials += gate_trials(copy.original, copy, subject, records or {}, evidence, policy)
        return left


def _policy_for(artifacts: tuple[Artifact, ...], policy: Policy) -> Policy:
    """The policy for a copy of some of a version's artifacts: no remote has it, nobody signed it, and what can only infer
    need not resume."""
    policy = replace(policy, pushed=False, signed=None)
    if any(artifact.capability is Capability.RESUME for artifact in artifacts):
        return policy
    return replace(policy, requires=replace(policy.requires, version=Capability.INFER))


def _drill(
    trials: list[Trial], unfit: dict[str, str], policy: Policy, min_score: float | None, thorough: bool, seconds: float
) -> Drill:
    fit = [trial for trial in trials if f"{trial.model} {trial.artifact}" not in unfit]
    share = score_of(fit).share
    status, reason = Status.PASS, "" if share is None else f"{share:.1%} of the damages that can be noticed were caught"
    if unfit:
        place, why = next(iter(unfit.items()))
        status, reason = Status.UNVERIFIED, f"{len(unfit)} do not pass undamaged, the first {place}: {why}"
    elif share is None:
        status, reason = Status.UNVERIFIED, "no damage applied to anything: nothing can be said"
    elif min_score is not None and share < min_score:
        status, reason = Status.FAIL, f"{reason}, and {min_score:.1%} were asked for"
    order = {area: number for number, area in enumerate(Area)}
    return Drill(
        schema_version=SCHEMA_VERSION, status=status, reason=reason, policy=policy, min_score=min_score,
        thorough=thorough, unfit=unfit, seconds=round(seconds, 1),
        trials=tuple(sorted(fit, key=lambda one: (one.model, one.artifact, order[one.area], one.damage))),
    )  # fmt: skip
