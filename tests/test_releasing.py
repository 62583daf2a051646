"""`release`: a tag only on a commit that holds what was judged, and only where the gate is open."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from builders import ENCODER, build
from reloadgate.compare import compare
from reloadgate.errors import RefusedError, UsageError
from reloadgate.judge import judge
from reloadgate.policy import Policy, read_yaml
from reloadgate.project import EVIDENCE, RECORDS, declared, read_policy, read_records
from reloadgate.releasing import Released, release
from reloadgate.report import VERDICT, publish
from reloadgate.verdict import Status

# DVC's own dependencies use what will be gone.
pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]

PARAMS = "models:\n  digits: {version: 1.0.0}\n  wine: {version: 1.0.0}\n"
WRONG = {f"before/{ENCODER}": np.ones((4, 3), np.float32)}


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def track(*versions: str) -> None:
    from dvc.repo import Repo

    with Repo() as repo:
        repo.add(list(versions))


def commit() -> None:
    git("add", "-A")
    git("commit", "-qm", "x")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, judged and committed: `digits` passes, `wine` does not. Never change it: copy."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("project")
    with contextlib.chdir(root):
        git("init", "-q")
        git("config", "user.name", "a")
        git("config", "user.email", "a@b.c")
        Repo.init().close()
        Path("params.yaml").write_text(PARAMS)
        Path(".gitignore").write_text("/reports/evidence\n")
        for built in (build(Path()), build(Path(), "wine", changed=WRONG)):
            built.record(RECORDS)
        track("models/digits/1.0.0", "models/wine/1.0.0")
        put_on_file()
        commit()
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "project", symlinks=True))
    return Path.cwd()


def put_on_file() -> None:
    subjects = declared(read_yaml(Path("params.yaml")))
    compared = compare(subjects, EVIDENCE, read_records())
    publish(Path("reports"), judge(compared, Policy()), compared)


def released(name: str = "digits") -> Released:
    return release(name, declared(read_yaml(Path("params.yaml"))), read_records(), read_policy())


@pytest.mark.usefixtures("project")
def test_a_version_that_passed_is_tagged_whatever_the_others_are() -> None:
    assert released().tag == "digits@v1.0.0"
    assert git("rev-list", "-n1", "digits@v1.0.0") == git("rev-parse", "HEAD")


@pytest.mark.usefixtures("project")
def test_a_version_that_failed_is_not() -> None:
    found = released("wine")
    assert (found.gated.verdict.status, found.tag, git("tag")) == (Status.FAIL, "", "")


def other_bytes() -> None:
    """All of it anew, but for what the commit has: the evidence is of the bytes that lie there, the gate is open."""
    path = Path("models/digits/1.0.0/evidence/more")
    path.write_bytes(b"of no artifact")


def a_fifo() -> None:
    os.mkfifo("models/digits/1.0.0/evidence/more")


def untracked_bytes() -> None:
    Path("models/digits/1.0.0.dvc").unlink()
    commit()


def ignored_verdict() -> None:
    git("rm", "-q", "--cached", f"reports/{VERDICT}")
    Path(".gitignore").write_text(f"/reports/evidence\n/reports/{VERDICT}\n")
    commit()


def other_policy() -> None:
    Path("params.yaml").write_text(f"{PARAMS}policy: {{}}\n")


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a file that the commit does not track": (other_bytes, r"models/digits/1\.0\.0/evidence/more is not the file that HEAD"),
    "what is no file": (a_fifo, r"models/digits/1\.0\.0/evidence/more is not the file that HEAD"),
    "a version that nothing tracks": (untracked_bytes, "neither git nor DVC has models/digits/1.0.0"),
    "a verdict that is in no commit": (ignored_verdict, r"reports/verdict\.json is in no commit"),
    "settings that are not committed": (other_policy, r"params\.yaml: not as HEAD has it"),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("what", REFUSED)
def test_what_the_commit_does_not_hold_is_not_released(what: str) -> None:
    change, said = REFUSED[what]
    change()
    with pytest.raises(RefusedError, match=said):
        released()
    assert git("tag") == ""


@pytest.mark.usefixtures("project")
def test_a_damaged_artifact_closes_the_gate() -> None:
    Path("models/digits/1.0.0/model.keras").write_bytes(b"other bytes")
    found = released()
    assert found.tag == ""
    assert "is not the file that was reloaded" in found.gated.objections[0]


@pytest.mark.usefixtures("project")
def test_an_edited_verdict_closes_the_gate() -> None:
    path = Path("reports") / VERDICT
    verdict = json.loads(path.read_text())
    verdict["models"][0]["findings"][0]["message"] = "something else"
    path.write_text(json.dumps(verdict))
    commit()
    assert (released().tag, released().gated.verdict.status) == ("", Status.ERROR)


@pytest.mark.usefixtures("project")
def test_a_whole_that_is_worse_than_its_models_closes_the_gate() -> None:
    path = Path("reports") / VERDICT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "ERROR"}))
    commit()
    assert released().tag == ""


@pytest.mark.usefixtures("project")
def test_a_version_is_released_once_and_has_a_name() -> None:
    released()
    with pytest.raises(RefusedError, match=r"GTO does not register digits v1\.0\.0"):
        released()
    with pytest.raises(UsageError, match="names no model 'churn'; it names digits, wine"):
        released("churn")


@pytest.mark.usefixtures("project")
def test_a_version_that_git_tracks_itself_is_released_too() -> None:
    for path in Path("models").rglob("*.dvc"):
        path.unlink()
    Path("models/digits/.gitignore").unlink()
    git("add", "-Af", "models")
    commit()
    assert released().tag == "digits@v1.0.0"
