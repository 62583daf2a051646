"""`history`: from commit to commit, out of git and DVC, while the working tree stays as it is."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import build, values
from reloadgate.errors import UsageError
from reloadgate.history import above, history
from reloadgate.judge import judge
from reloadgate.policy import Policy
from reloadgate.project import RECORDS
from reloadgate.report import METRICS, begin, publish
from reloadgate.terminal import show_history

REPORTS = Path("reports")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def commit(message: str) -> None:
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", message)


def train(before: dict[str, Any] | None = None, changed: dict[str, Any] | None = None) -> None:
    """A version, its record and its reports, in place of those before."""
    shutil.rmtree("models", ignore_errors=True)
    built = build(Path(), before=before, changed=changed)
    built.record(RECORDS)
    compared = built.compare()
    publish(REPORTS, judge(compared, Policy()), compared)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    run("git", "init", "-q")
    Path(".gitignore").write_text("/models\n/reports/evidence\n")
    return tmp_path


OUTPUT = values()["predict/output"]
TWO_FLIP = OUTPUT.copy()
TWO_FLIP[[0, 3]] = -TWO_FLIP[[0, 3]]
assert np.count_nonzero(OUTPUT.argmax(-1) != TWO_FLIP.argmax(-1)) == 2


@pytest.mark.usefixtures("repository")
def test_every_commit_has_its_verdict_drift_and_sizes_newest_first() -> None:
    train()
    commit("first")
    Path("notes.txt").touch()
    commit("of something else")
    train(changed={"predict/output": OUTPUT + np.float32(1e-3)})
    commit("drifts")
    begin(REPORTS, "reloadgate judge")
    commit("broken")
    before = sorted(Path().rglob("*"))
    entries = history()
    assert [(entry.subject, entry.model, entry.status) for entry in entries] == [
        ("broken", "", "ERROR"),
        ("drifts", "digits", "FAIL"),
        ("first", "digits", "PASS"),
    ]
    assert entries[1].drift_digits == pytest.approx(3, abs=0.01)
    assert (entries[2].drift_digits, entries[2].bytes, entries[2].version) == (99.0, 20, "models/digits/1.0.0")
    assert sorted(Path().rglob("*")) == before
    assert [entry.subject for entry in history(limit=1)] == ["broken"]


def write_metrics_otherwise() -> None:
    metrics = json.loads((REPORTS / METRICS).read_text())
    (REPORTS / METRICS).write_text(json.dumps(metrics, indent=len(history())))


@pytest.mark.usefixtures("repository")
def test_a_first_version_has_nothing_to_change_however_often_its_metrics_were_written() -> None:
    train()
    commit("first")
    write_metrics_otherwise()
    commit("written otherwise")
    new, old = history(["digits"])
    assert [(one.churn, one.churn_reason) for one in (new, old)] == [(None, "there is no version before")] * 2
    assert above([new, old], 0.0) == []


@pytest.mark.usefixtures("repository")
def test_a_version_whose_earlier_ones_were_not_seen_is_no_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train()
    commit("first")
    train(before={"predict/output": TWO_FLIP, "call/output": TWO_FLIP})
    commit("second")
    assert above(history(limit=1), 1.0) == ["digits (its earlier versions are beyond --limit)"]
    run("git", "clone", "-q", "--depth", "1", tmp_path.as_uri(), str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    (told,) = above(history(), 1.0)
    assert "not in this shallow clone; `git fetch --unshallow`" in told
    run("git", "fetch", "-q", "--unshallow")
    assert history()[-1].churn_reason == "there is no version before"


@pytest.mark.usefixtures("repository")
def test_the_limit_is_held_against_the_newest_version_of_each_model() -> None:
    train()
    commit("first")
    (first,) = history()
    newest, older = replace(first, churn=0.4, churn_reason=""), replace(first, churn=0.9, churn_reason="")
    assert above([newest, older], 0.4) == []
    assert above([newest, older], 0.3) == ["digits (40.0%)"]
    assert above([replace(newest, churn=None, churn_reason="the probe is another")], 1.0) == ["digits (the probe is another)"]


@pytest.mark.usefixtures("repository")
def test_what_has_no_history_is_said() -> None:
    with pytest.raises(UsageError, match="git log"):
        history()
    train()
    commit("first")
    with pytest.raises(UsageError, match="no commit has metrics of a model 'wine'; there are digits"):
        history(["wine"])


def test_outside_a_repository_it_is_a_matter_of_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not a git repository"):
        history()


@pytest.mark.usefixtures("repository")
def test_metrics_that_cannot_be_read_are_an_error_of_that_commit_alone() -> None:
    train()
    commit("first")
    (REPORTS / METRICS).write_text("{")
    commit("garbage")
    assert [entry.status for entry in history()] == ["ERROR", "PASS"]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("models", "shown"),
    [
        ({"digits": 0.9}, ["digits", "ERROR"]), ({"digits": {"status": "good", "bytes": "3 kB", "drift": 1}}, ["digits", "good"]),
        ([1], ["ERROR"]),
    ],
)  # fmt: skip
def test_metrics_of_somebody_elses_are_no_figures(models: Any, shown: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    REPORTS.mkdir()
    (REPORTS / METRICS).write_text(json.dumps({"models": models}))
    commit("a subject in two\u2028lines, and not in ASCII: é")
    entries = history()
    show_history(entries)
    assert capsys.readouterr().out.splitlines()[2].split()[2:] == [*shown, *"–––––"]
    assert entries[0].subject.endswith("é")


@pytest.mark.usefixtures("repository")
def test_the_table_fits_80_columns_and_says_why_churn_cannot_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    train()
    commit("first")
    show_history(history())
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[2:] == ["digits", "PASS", "99", "99", "0.02", "1.5", "–"]
    assert lines[-1] == "no churn for 1: there is no version before"


@pytest.mark.pipeline
@pytest.mark.usefixtures("repository")
def test_churn_is_the_share_of_decisions_that_changed_on_the_same_probe() -> None:
    dvc = (sys.executable, "-m", "dvc")
    run(*dvc, "init", "-q")
    Path(".gitignore").write_text("/reports/evidence\n")
    for message, output in (("first", OUTPUT), ("two of five", TWO_FLIP)):
        train(before={"predict/output": output, "call/output": output})
        run(*dvc, "add", "-q", "models/digits/1.0.0")
        commit(message)
    shutil.rmtree("models/digits/1.0.0")
    write_metrics_otherwise()
    commit("written otherwise")
    same, two, first = history()
    assert (same.churn, two.churn, first.churn) == (0.4, 0.4, None), two.churn_reason
    assert above([same, two, first], 0.4) == []
    assert above([same, two, first], 0.3) == ["digits (40.0%)"]
    shutil.rmtree(".dvc/cache")
    lost = history()[0]
    assert lost.churn is None
    assert "is not in DVC's cache nor its remote" in lost.churn_reason
    assert above([lost], 0.3), "what cannot be told is not below a limit"
