"""What DVC and people leave behind when a stage did not run, and the gate has to answer.

A scene is a project at the moment at which the gate begins: the version, what was recorded and reloaded of it, the verdict on
file. What DVC's commands leave was seen with DVC 3.67 (docs/pipeline.md).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from reloadgate.drill.contents import held
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.damage import Damage, Scope
from reloadgate.drill.trials import Area
from reloadgate.evidence import ReloadedEvidence, read_sealed, write_evidence
from reloadgate.policy import Policy
from reloadgate.project import Subject, VersionRecord

DAMAGES: list[Damage] = []


@dataclass(kw_only=True, slots=True)
class Scene:
    copy: Copy
    subjects: list[Subject]
    records: dict[str, VersionRecord]
    evidence: Path
    """What was reloaded, a folder an artifact."""
    verdict: Path
    """The file."""
    policy: Policy


def damage(name: str, imitates: str, seen: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def declare(apply: Callable[[Scene], None]) -> Callable[[Scene], None]:
        DAMAGES.append(
            Damage(area=Area.PIPELINE, name=name, imitates=imitates, seen=seen, apply=apply, scope=Scope.VERSION, matched=False)
        )
        return apply

    return declare


def _damage_weights(scene: Scene) -> None:
    with held(scene.copy) as variables:
        key = variables.trained()[0].key
        variables[key] = variables[key] * 2


@damage(
    "dvc commit -f after a failure",
    "DVC takes damaged bytes for what a stage made, and calls the pipeline up to date",
    "DVC: commit",
)
def _committed(scene: Scene) -> None:
    """Other bytes in the version; everything else is of before."""
    _damage_weights(scene)


@damage(
    "a link into the cache was written through",
    "with cache.type hardlink DVC keeps the old digest of changed bytes",
    "DVC: links",
)
def _written_through(scene: Scene) -> None:
    path = scene.copy.files[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    scene.copy.write(path, bytes(data))


@damage(
    "an earlier verdict out of the run cache",
    "going back to earlier parameters restores an earlier verdict, and nothing runs",
    "DVC: run cache",
)
def _run_cache(scene: Scene) -> None:
    """The reload that came after that verdict failed."""
    for path in list(scene.evidence.rglob("evidence.json")):
        reloaded = read_sealed(ReloadedEvidence, path.parent).record
        write_evidence(path.parent, replace(reloaded, loaded=False, error="it does not load any more", observation=None))


@damage("reload is frozen", "`dvc freeze` leaves yesterday's evidence beside today's model", "DVC: freeze")
def _frozen(scene: Scene) -> None:
    """The version and its record are of now, and the evidence of its reload of before."""
    _damage_weights(scene)
    scene.copy.match()
    scene.copy.seal()
    scene.records = {name: scene.copy.record(name) for name in scene.records}


@damage("no model on disk", "`dvc repro --allow-missing` on a clean clone", "DVC: allow-missing")
def _allow_missing(scene: Scene) -> None:
    for path in scene.copy.files:
        path.unlink()


@damage("the evidence of the reload is missing", "outputs were not pulled", "DVC: allow-missing")
def _no_evidence(scene: Scene) -> None:
    for path in list(scene.evidence.rglob("evidence.json")):
        path.unlink()


@damage("the evidence of the reload is altered", "what was seen is made to fit", "4.6")
def _altered(scene: Scene) -> None:
    for path in list(scene.evidence.rglob("evidence.json")):
        data = json.loads(path.read_bytes())
        data["record"]["seconds"] += 1.0
        path.write_text(json.dumps(data))


@damage("the verdict is missing", "a report was cleaned away", "4.5")
def _no_verdict(scene: Scene) -> None:
    scene.verdict.unlink()


@damage("the verdict is of another policy", "the policy was changed, and nothing was judged again", "DVC: run cache")
def _other_policy(scene: Scene) -> None:
    looser = max(scene.policy.tolerances.weights, 1e-9) * 2
    scene.policy = replace(scene.policy, tolerances=replace(scene.policy.tolerances, weights=looser))


@damage("the verdict's rows are removed", "a verdict that was written by hand: PASS, and nothing behind it", "4.6")
def _by_hand(scene: Scene) -> None:
    data = json.loads(scene.verdict.read_bytes())
    data["models"] = []
    scene.verdict.write_text(json.dumps(data))


@damage("the record is of another version", "a record was copied, or a version taken back without its record", "3.1")
def _other_record(scene: Scene) -> None:
    scene.records = {name: replace(record, evidence_sha256="0" * 64) for name, record in scene.records.items()}


@damage("a model without a record", "params.yaml names a model that training left no record of", "DVC: allow-missing")
def _no_record(scene: Scene) -> None:
    scene.records = {}


@damage("a model that is not declared", "a model was taken out of params.yaml, and its record stays", "DVC: matrix")
def _undeclared(scene: Scene) -> None:
    if not scene.records:
        raise DoesNotApplyError("it has no record")
    scene.subjects = []
