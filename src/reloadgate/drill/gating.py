"""The damages of the pipeline, which no reload sees: what is left behind where a stage did not run, and the gate answers."""

import shutil
from pathlib import Path

from reloadgate.compare import compare
from reloadgate.drill.copies import Copy, DoesNotApplyError, Original
from reloadgate.drill.damages.damage import Damage
from reloadgate.drill.damages.pipeline import DAMAGES, Scene
from reloadgate.drill.trials import Outcome, Trial
from reloadgate.gate import gate
from reloadgate.judge import judge
from reloadgate.nouns import to_dict, write_json
from reloadgate.policy import Policy
from reloadgate.project import Subject, VersionRecord, folder_of
from reloadgate.suites import with_suites
from reloadgate.verdict import Status


def gate_trials(
    original: Original, pristine: Copy, subject: Subject, records: dict[str, VersionRecord], evidence: Path, policy: Policy
) -> list[Trial]:
    """What the gate says of every scene.

    Args:
        pristine: the undamaged copy, which passed as `subject`; it is laid out again for every scene, at the same place.
        evidence: where the reloaded evidence of it lies.
    """
    if not records:
        records = {subject.name: pristine.record(subject.name)}  # the pipeline's gate demands one
    verdict = judge(with_suites(compare([subject], evidence, records), policy), policy)
    stage = pristine.version.parent / "scene"
    trials = []
    for damage in DAMAGES:
        shutil.rmtree(stage, ignore_errors=True)
        shutil.rmtree(pristine.version)
        copy = Copy(original, pristine.artifacts, pristine.version)
        copy.seal()
        theirs = folder_of(evidence, subject.name, copy.artifact)
        shutil.copytree(theirs, folder_of(stage / "evidence", subject.name, copy.artifact))
        write_json(stage / "verdict.json", to_dict(verdict))
        scene = Scene(
            copy=copy, subjects=[subject], records=dict(records), evidence=stage / "evidence",
            verdict=stage / "verdict.json", policy=policy,
        )  # fmt: skip
        outcome, reason = _answered(scene, damage)
        trials.append(
            Trial(
                model=original.name, artifact=copy.artifact.path, area=damage.area, damage=damage.name,
                imitates=damage.imitates, seen=damage.seen, outcome=outcome,
                by=("gate",) if outcome is Outcome.CAUGHT else (), reason=reason,
                advice=("`reloadgate verify`, which asks neither DVC nor a file",) if outcome is Outcome.SURVIVED else (),
            )
        )  # fmt: skip
    return trials


def _answered(scene: Scene, damage: Damage) -> tuple[Outcome, str]:
    try:
        damage.apply(scene)
    except DoesNotApplyError as reason:
        return Outcome.NOT_APPLICABLE, str(reason)
    gated = gate(scene.subjects, scene.records, scene.evidence, scene.verdict, scene.policy)
    caught = gated.verdict.status is not Status.PASS
    said = gated.objections[0] if gated.objections else gated.verdict.reason
    return (Outcome.CAUGHT if caught else Outcome.SURVIVED), f"{gated.verdict.status}: {said}"[:400]
