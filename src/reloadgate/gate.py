"""`gate`: enforce. Believes no verdict file: hashes the bytes, compares and judges again, and must arrive at the same."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reloadgate.compare import compare
from reloadgate.comparison import Comparison
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import EVIDENCE_DIR
from reloadgate.files import regular_files, sha256_file
from reloadgate.judge import judge
from reloadgate.nouns import noun, read_record
from reloadgate.places import look_at
from reloadgate.policy import Location, Policy
from reloadgate.project import REPORTS, Subject, VersionRecord
from reloadgate.remote import is_of_remote, with_remote
from reloadgate.signing import SIGNATURES, unsigned
from reloadgate.suites import with_suites
from reloadgate.verdict import Status, Verdict, worst

JUDGE_AGAIN = "run `dvc repro judge`, or `reloadgate judge` without DVC"


@noun
class Gated:
    """What the gate arrived at: a verdict that counts its objections, and the objections."""

    verdict: Verdict
    comparison: Comparison
    objections: tuple[str, ...]
    outdated: bool
    """Whether the verdict on file says other things of the remote than the remote says now, and agrees in all else."""


def gate(
    subjects: Sequence[Subject],
    records: dict[str, VersionRecord],
    evidence: Path,
    verdict_file: Path,
    policy: Policy,
    only: str | None = None,
    signatures: Path | None = SIGNATURES,
) -> Gated:
    """Judge again from the bytes, and hold the verdict on file against it.

    The whole is PASS only where the new verdict is PASS, the one on file says the same, the bytes in the versions are
    those that were reloaded, and the models that are declared, recorded and judged are the same.

    Args:
        only: one model by name: what is said of the others on file does not count.
        signatures: the folder of the signatures that the policy `signed` asks for; None where they are about to be made.
    """
    if only is not None:
        subjects = [subject for subject in subjects if subject.name == only]
        records = {name: record for name, record in records.items() if name == only}
    comparison = with_suites(with_remote(compare(subjects, evidence, records), policy), policy)
    verdict = judge(comparison, policy)
    objections = [*_other_models(subjects, records), *_other_bytes(verdict)]
    if policy.location != Location.ANY:
        objections += _other_places(verdict)
    if policy.signed and signatures:
        objections += unsigned(verdict, policy.signed, signatures)
    statuses = {verdict.status, *({Status.UNVERIFIED} if objections else ())}
    outdated = False
    try:
        on_file = _of(read_record(Verdict, verdict_file), only)
    except UnreadableRecordError as error:
        told = str(error).replace(str(verdict_file), str(REPORTS / verdict_file.name))  # of a copy that will be gone
        what = f"the verdict on file cannot be read ({told})" if verdict_file.exists() else "there is no verdict on file"
        objections.append(f"{what}: {JUDGE_AGAIN}")
        statuses.add(Status.ERROR)
    else:
        outdated = not _agree(on_file, verdict) and _agree(_without_remote(on_file), _without_remote(verdict))
        if not outdated and not _agree(on_file, verdict):
            why = "somebody edited it, or the evidence changed since"
            if on_file.status is Status.ERROR:
                why = on_file.reason
            elif on_file.policy != verdict.policy:
                why = "it was judged by another policy"
            both = f"the verdict on file says {on_file.status}, and judging again says {verdict.status}"
            objections.append(f"{both}: {JUDGE_AGAIN}; {why}")
            statuses.add(Status.ERROR)
    if objections:
        verdict = replace(verdict, status=worst(statuses), reason="; ".join(objections))
    return Gated(verdict=verdict, comparison=comparison, objections=tuple(objections), outdated=outdated)


def _of(verdict: Verdict, only: str | None) -> Verdict:
    """What a verdict says of one model; all of it where its whole is worse than its models, since nobody knows why."""
    models = tuple(model for model in verdict.models if model.model == only)
    if only is None or verdict.status is not worst({model.status for model in verdict.models}):
        return verdict
    return replace(verdict, status=worst({model.status for model in models}), models=models)


def _without_remote(verdict: Verdict) -> Verdict:
    """The verdict as it is without what the remote said, which is of the moment and may be another by now."""
    if verdict.status is not worst({model.status for model in verdict.models}):
        return verdict  # the suites disagreed, the gate objected, or somebody edited it
    models = []
    for model in verdict.models:
        findings = tuple(finding for finding in model.findings if not is_of_remote(finding.row))
        models.append(replace(model, findings=findings, status=worst({finding.status for finding in findings})))
    return replace(verdict, status=worst({model.status for model in models}), models=tuple(models))


def _agree(on_file: Verdict, judged: Verdict) -> bool:
    """Whether two verdicts say the same of the same bytes under the same policy, row by row."""
    return (on_file.status, on_file.policy, on_file.models) == (judged.status, judged.policy, judged.models)


def _other_models(subjects: Sequence[Subject], records: dict[str, VersionRecord]) -> list[str]:
    names, recorded = {subject.name for subject in subjects}, set(records)
    missing = [f"params.yaml names the model {name}, and training left no record of it" for name in sorted(names - recorded)]
    return missing + [
        f"there is a record of the model {name}, which params.yaml does not name" for name in sorted(recorded - names)
    ]


def _other_places(verdict: Verdict) -> list[str]:
    """What has become of the places of versions since they were reloaded, where they passed."""
    passed = [Path(model.version) for model in verdict.models if model.status is Status.PASS]
    return [problem for version in passed for problem in look_at(version).problems]


def _other_bytes(verdict: Verdict) -> list[str]:
    """Files in the versions that are not the bytes that were reloaded."""
    objections = []
    for model in verdict.models:
        version = Path(model.version)
        now = _digests(version) if any(model.files.values()) else {}
        for artifact, reloaded in model.files.items():
            if not reloaded:
                objections.append(f"{version}/{artifact}: no file of it was read by a reload")
                continue
            changed = sorted(path for path in {*now, *reloaded} if now.get(path) != reloaded.get(path))
            if changed:
                objections.append(
                    f"{version}/{changed[0]} is not the file that was reloaded ({len(changed)} in all): the evidence is of "
                    "other bytes; run `dvc repro` (`dvc repro --force reload` where DVC was told that they are right), or "
                    "`make verify` for the bytes that lie there now"
                )
    return objections


def _digests(version: Path) -> dict[str, str]:
    """SHA-256 of every file of a version but its evidence, by path; once for all its artifacts."""
    files = [path for path in regular_files(version, leave_out=EVIDENCE_DIR) if (version / path).is_file()]
    return {path.as_posix(): sha256_file(version / path)[0] for path in files}
