"""`gate`: no verdict file is believed; the bytes, the records and the evidence must arrive at the same."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import ENCODER, Built, build, observed, values
from reloadgate.compare import compare
from reloadgate.evidence import write_evidence
from reloadgate.gate import Gated, gate
from reloadgate.judge import judge
from reloadgate.nouns import read_json, to_dict, write_json
from reloadgate.policy import Location, Policy, policy_from
from reloadgate.project import EVIDENCE, RECORDS, Subject, read_records
from reloadgate.report import VERDICT, begin
from reloadgate.verdict import Status, Verdict

FILE = Path("reports") / VERDICT
WRONG = {f"before/{ENCODER}": np.ones((4, 3), np.float32)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*names: str, **reloaded: Any) -> list[Built]:
    """Versions with their evidence, the evidence of their reload and their records."""
    built = [build(Path(), name, **reloaded) for name in names]
    for one in built:
        one.record(RECORDS)
    return built


def judged(*built: Built, policy: Policy | None = None) -> Verdict:
    """Judge, and leave the verdict on file."""
    verdict = judge(compare([one.subject for one in built], EVIDENCE, read_records()), policy or Policy())
    write_json(FILE, to_dict(verdict))
    return verdict


def gated(*built: Built, policy: Policy | None = None) -> Gated:
    return gate([one.subject for one in built], read_records(), EVIDENCE, FILE, policy or Policy())


def edit(**fields: Any) -> None:
    """Change the verdict on file by hand."""
    write_json(FILE, read_json(FILE) | fields)


@pytest.mark.usefixtures("project")
def test_where_all_is_well_the_gate_is_open() -> None:
    built = train("digits", "diabetes")
    verdict = judged(*built)
    found = gated(*built)
    assert (found.verdict.status, found.verdict.exit_code, found.objections) == (Status.PASS, 0, ())
    assert found.verdict == verdict


@pytest.mark.usefixtures("project")
def test_a_model_that_fails_ends_with_1_and_without_an_objection_where_the_file_says_so() -> None:
    built = train("digits", changed=WRONG)
    assert judged(*built).status is Status.FAIL
    assert (gated(*built).verdict.exit_code, gated(*built).objections) == (1, ())


@pytest.mark.usefixtures("project")
def test_a_verdict_edited_to_pass_is_objected_to_and_fails() -> None:
    built = train("digits", changed=WRONG)
    judged(*built)
    edit(status="PASS")
    found = gated(*built)
    assert (found.verdict.status, found.verdict.exit_code) == (Status.FAIL, 1)
    assert "says PASS, and judging again says FAIL" in found.objections[0]


@pytest.mark.usefixtures("project")
def test_a_verdict_forged_from_end_to_end_fails_all_the_same() -> None:
    (good,) = train("digits")
    judged(good)
    forged = FILE.read_bytes()
    shutil.rmtree("models")
    shutil.rmtree("reports")
    (bad,) = train("digits", changed=WRONG)
    FILE.write_bytes(forged)
    assert gated(bad).verdict.exit_code == 1


def other_finding() -> None:
    (model,) = read_json(FILE)["models"]
    model["findings"][0]["message"] = "something else"
    edit(models=[model])


def change(path: str, content: bytes | None) -> Callable[[], None]:
    def apply() -> None:
        Path(path).unlink() if content is None else Path(path).write_bytes(content)

    return apply


VERSION = "models/digits/1.0.0"
ON_FILE: dict[str, tuple[Callable[[], object], str]] = {
    "the verdict is empty": (lambda: FILE.write_bytes(b""), "cannot be read"),
    "the verdict is garbage": (lambda: FILE.write_bytes(b'{"status": "PASS"}'), "cannot be read"),
    "the verdict is of another schema": (lambda: edit(schema_version="2.0"), "cannot be read"),
    "the verdict has a key more": (lambda: edit(signed=True), "cannot be read"),
    "the verdict says that it is running": (lambda: begin(Path("reports"), "reloadgate judge"), "says ERROR"),
    "the verdict says FAIL": (lambda: edit(status="FAIL"), "says FAIL, and judging again says PASS"),
    "the verdict has no model": (lambda: edit(models=[]), "somebody edited it"),
    "the verdict has another finding": (other_finding, "somebody edited it"),
    "the verdict was judged by another policy": (
        lambda: edit(policy=to_dict(policy_from({"tolerances": {"weights": 0.5}}))),
        "by another policy",
    ),
    "a run has begun and not ended": (
        lambda: edit(status="ERROR", reason="reloadgate gate has begun and not ended"),
        "reloadgate gate has begun and not ended",
    ),
    "the verdict is missing": (FILE.unlink, "there is no verdict on file: run `dvc repro judge`"),
    "a file changed after the reload": (change(f"{VERSION}/model.keras", b"other"), "is not the file that was reloaded"),
    "a file appeared after the reload": (change(f"{VERSION}/stray.txt", b""), "stray.txt is not the file"),
    "a file is gone since the reload": (change(f"{VERSION}/model.keras", None), "is not the file that was reloaded"),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("what", ON_FILE)
def test_what_is_not_what_was_judged_ends_with_3_although_the_evidence_says_pass(what: str) -> None:
    built = train("digits")
    judged(*built)
    alter, objection = ON_FILE[what]
    alter()
    found = gated(*built)
    assert found.verdict.status is (Status.UNVERIFIED if what.startswith("a file") else Status.ERROR)
    assert found.verdict.exit_code == 3
    assert any(objection in one for one in found.objections), found.objections


def test_a_version_that_was_moved_to_where_it_vanishes_closes_the_gate(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    built, elsewhere = train("digits"), tmp_path_factory.mktemp("memory") / "1.0.0"
    judged(*built)
    version = project / VERSION
    version.rename(elsewhere)
    version.symlink_to(elsewhere)
    found = gated(*built)
    assert found.verdict.exit_code == 3
    assert "temporary directory" in found.objections[0]
    anywhere = Policy(location=Location.ANY)
    judged(*built, policy=anywhere)
    assert gated(*built, policy=anywhere).verdict.status is Status.PASS


@pytest.mark.usefixtures("project")
def test_models_records_and_verdicts_must_be_the_same() -> None:
    digits, diabetes = train("digits", "diabetes")
    judged(digits, diabetes)
    found = gated(digits)
    assert found.verdict.exit_code == 3
    assert any("record of the model diabetes, which params.yaml does not name" in one for one in found.objections)

    (RECORDS / "diabetes.json").unlink()
    found = gated(digits, diabetes)
    assert (found.verdict.exit_code, found.verdict.status) == (3, Status.ERROR)
    assert any("names the model diabetes, and training left no record" in one for one in found.objections)


@pytest.mark.usefixtures("project")
def test_no_model_at_all_is_no_pass() -> None:
    RECORDS.mkdir(parents=True)
    judged()
    assert (gated().verdict.exit_code, gated().verdict.status) == (3, Status.UNVERIFIED)


@pytest.mark.usefixtures("project")
def test_another_version_than_the_one_that_was_recorded_is_unverified() -> None:
    (built,) = train("digits")
    shutil.copytree(VERSION, "models/digits/2.0.0")
    other = replace(built, subject=Subject(name="digits", path="models/digits/2.0.0"))
    judged(other)
    assert gated(other).verdict.exit_code == 3


def alter_saved(built: Built) -> None:
    path = built.sealed / "evidence.json"
    path.write_text(path.read_text().replace('"largest": 0.0', '"largest": 1.0').replace("3.15.1", "3.15.0"))


def alter_arrays(built: Built) -> None:
    observed(values(**WRONG))[1].write(built.sealed / "arrays.npz")


def reseal_saved(built: Built) -> None:
    write_evidence(built.sealed, replace(built.saved, hash_seed="1"))


def alter_reloaded(built: Built) -> None:
    path = built.folder / "evidence.json"
    path.write_text(path.read_text().replace('"seconds": 1.5', '"seconds": 1.0'))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("alter", "code"),
    [
        (alter_saved, 1),
        (alter_arrays, 1),
        (reseal_saved, 1),
        (alter_reloaded, 1),
        (lambda built: write_evidence(built.folder, replace(built.reloaded, saved_sha256="0" * 64)), 3),
        (lambda built: write_evidence(built.folder, replace(built.reloaded, environment=None, observation=None)), 3),
        (lambda built: shutil.rmtree(built.folder), 3),
        (lambda built: shutil.rmtree(built.sealed), 3),
        (lambda built: shutil.rmtree(built.subject.directory), 3),
    ],
    ids=[
        "saved evidence altered",
        "saved arrays altered",
        "saved evidence altered and sealed again",
        "reloaded evidence altered",
        "a reload of other evidence",
        "a reload that saw nothing",
        "no reload",
        "no saved evidence",
        "no version",
    ],
)
def test_evidence_that_is_not_what_was_recorded_closes_the_gate(alter: Callable[[Built], object], code: int) -> None:
    (built,) = train("digits")
    judged(built)
    alter(built)
    found = gated(built)
    assert (found.verdict.exit_code, bool(found.objections)) == (code, True)


@pytest.mark.usefixtures("project")
def test_the_policy_of_now_counts_and_not_that_of_the_file() -> None:
    small = values()[f"before/{ENCODER}"] + np.float32(1e-3)
    built = train("digits", changed={f"before/{ENCODER}": small})
    lenient = policy_from({"tolerances": {"weights": 0.01}})
    assert judged(*built, policy=lenient).status is Status.PASS
    assert gated(*built, policy=lenient).verdict.exit_code == 0
    assert gated(*built).verdict.exit_code == 1
