"""`gate`: enforce. Believes no verdict file: hashes the bytes, compares and judges again, and must arrive at the same."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reloadgate.compare import compare
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import EVIDENCE_DIR
from reloadgate.files import regular_files, sha256_file
from reloadgate.judge import judge
from reloadgate.nouns import from_dict, noun, read_json
from reloadgate.policy import Policy
from reloadgate.project import Subject, VersionRecord
from reloadgate.verdict import Status, Verdict, worst


@noun
class Gated:
    """What the gate arrived at: a verdict that counts its objections, and the objections."""

    verdict: Verdict
    objections: tuple[str, ...]


def gate(
    subjects: Sequence[Subject], records: dict[str, VersionRecord], evidence: Path, verdict_file: Path, policy: Policy
) -> Gated:
    """Judge again from the bytes, and hold the verdict on file against it.

    The whole is PASS only where the new verdict is PASS, the one on file says the same, the bytes in the versions are
    those that were reloaded, and the models that are declared, recorded and judged are the same.
    """
    verdict = judge(compare(subjects, evidence, records), policy)
    objections = [*_other_models(subjects, records), *_other_bytes(verdict)]
    statuses = {verdict.status, *({Status.UNVERIFIED} if objections else ())}
    try:
        on_file = from_dict(Verdict, read_json(verdict_file), str(verdict_file))
    except UnreadableRecordError as error:
        objections.append(f"the verdict on file cannot be read: {error}")
        statuses.add(Status.ERROR)
    else:
        if not _agree(on_file, verdict):
            objections.append(
                f"{verdict_file} says {on_file.status}, and judging again says {verdict.status}: "
                "run `dvc repro judge`; somebody edited it, or the evidence changed since"
            )
            statuses.add(Status.ERROR)
    if objections:
        verdict = replace(verdict, status=worst(statuses), reason="; ".join(objections))
    return Gated(verdict=verdict, objections=tuple(objections))


def _agree(on_file: Verdict, judged: Verdict) -> bool:
    """Whether two verdicts say the same of the same bytes under the same policy, row by row."""
    return (on_file.status, on_file.policy, on_file.models) == (judged.status, judged.policy, judged.models)


def _other_models(subjects: Sequence[Subject], records: dict[str, VersionRecord]) -> list[str]:
    names, recorded = {subject.name for subject in subjects}, set(records)
    missing = [f"params.yaml names the model {name}, and training left no record of it" for name in sorted(names - recorded)]
    return missing + [
        f"there is a record of the model {name}, which params.yaml does not name" for name in sorted(recorded - names)
    ]


def _other_bytes(verdict: Verdict) -> list[str]:
    """Files in the versions that are not the bytes that were reloaded."""
    objections = []
    for model in verdict.models:
        version = Path(model.version)
        for artifact, reloaded in model.files.items():
            if not reloaded:
                objections.append(f"{version}/{artifact}: no file of it was read by a reload")
                continue
            now = {
                path.as_posix(): sha256_file(version / path)[0]
                for path in regular_files(version, leave_out=EVIDENCE_DIR)
                if (version / path).is_file()
            }
            changed = sorted(path for path in {*now, *reloaded} if now.get(path) != reloaded.get(path))
            if changed:
                objections.append(
                    f"{version}/{changed[0]} is not the file that was reloaded ({len(changed)} in all): the evidence is of "
                    "other bytes; run `dvc repro`, or `make verify` for the bytes that lie there now"
                )
    return objections
