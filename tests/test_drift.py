"""`verify --against`: how far a version is from another revision's, out of git and DVC, without a checkout."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import DECODER, ENCODER, Built, build, values
from reloadgate.comparison import Comparison, Outcome
from reloadgate.drift import Drift, against, output_drift
from reloadgate.errors import UsageError
from reloadgate.evidence import PREDICT, Observation, read_saved
from reloadgate.judge import judge
from reloadgate.nouns import read_json
from reloadgate.policy import Policy
from reloadgate.project import RECORDS, Subject
from reloadgate.report import METRICS, publish
from reloadgate.terminal import show_drifts

OUTPUT = values()["predict/output"]
TWO_FLIP = OUTPUT.copy()
TWO_FLIP[[0, 3]] = -TWO_FLIP[[0, 3]]
OTHER = {"predict/output": TWO_FLIP, f"before/{ENCODER}": values()[f"before/{ENCODER}"] + np.float32(0.25)}


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project below the repository's root, whose version `1` git tracks itself."""
    git("init", "-q", str(tmp_path))
    (tmp_path / "churn").mkdir()
    monkeypatch.chdir(tmp_path / "churn")
    Path("params.yaml").write_text("models:\n  digits: {version: 1.0.0}\n")
    train()
    git("add", "-A")
    git("commit", "-qm", "first")
    git("tag", "v1")
    return tmp_path


def train(**changes: Any) -> tuple[Built, Comparison]:
    """A version with its reports, in place of the one before."""
    shutil.rmtree("models", ignore_errors=True)
    built = build(Path(), **changes)
    built.record(RECORDS)
    compared = built.compare()
    publish(Path("reports"), judge(compared, Policy()), compared)
    return built, compared


def drift(**changes: Any) -> Drift:
    built, compared = train(**changes)
    (found,) = against("v1", [built.subject], compared)
    return found


@pytest.mark.usefixtures("project")
def test_the_same_version_has_not_moved() -> None:
    found = drift()
    assert (found.unknown, found.churn, found.largest, found.variables) == ("", 0.0, 0.0, ())
    assert found.weights > 1, "weights were looked at"
    assert found.bytes == (20, 20)
    assert found.reload_seconds == (1.5, 1.5)
    assert found.version == "models/digits/1.0.0"


@pytest.mark.usefixtures("project")
def test_decisions_predictions_and_weights_that_moved_are_measured() -> None:
    found = drift(before=OTHER)
    assert found.churn == 0.4
    assert found.largest == pytest.approx(2 * np.abs(OUTPUT[[0, 3]]).max())
    (variable,) = found.variables
    assert (variable.name, variable.outcome, variable.largest) == (ENCODER, Outcome.DIFFERS, pytest.approx(0.25))
    assert found.told().startswith("40.0% of the decisions changed, predictions by ")
    assert found.told().endswith(f"1 of {found.weights} weights differ")


def without_decoder(observation: Observation) -> Observation:
    return replace(observation, variables=tuple(v for v in observation.variables if v.key != DECODER))


@pytest.mark.usefixtures("project")
def test_a_weight_that_is_gone_is_told_by_name() -> None:
    (variable,) = drift(then=without_decoder).variables
    assert (variable.name, variable.outcome) == (DECODER, Outcome.MISSING)


def test_outputs_are_told_in_the_order_in_which_they_were_observed(tmp_path: Path) -> None:
    def several(observation: Observation) -> Observation:
        output = next(output for output in observation.outputs if output.mode == PREDICT)
        return replace(observation, outputs=tuple(replace(output, name=name) for name in "hbfaegdc"))

    saved = read_saved(build(tmp_path, then=several).sealed)
    outputs, reason = output_drift(saved, saved)
    assert ("".join(output.name for output in outputs), reason) == ("hbfaegdc", "")


@pytest.mark.usefixtures("project")
def test_on_another_probe_decisions_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builders.probe", lambda rows, made=build.__globals__["probe"]: made(rows + 1))
    found = drift()
    assert (found.churn, found.no_churn, found.unknown) == (None, "the probe is another", "")
    assert found.told() == f"the probe is another, 0 of {found.weights} weights differ"


@pytest.mark.usefixtures("project")
def test_what_is_not_to_be_had_is_said_and_raises_nothing() -> None:
    built, compared = train()
    (found,) = against("v1", [Subject(name="wine", path="models/wine/1.0.0")], compared)
    assert found.unknown == "params.yaml of v1 names no model 'wine'"
    assert found.told().startswith("not to be told: ")
    shutil.rmtree("models")
    (found,) = against("v1", [built.subject], compared)
    assert "models/digits/1.0.0/evidence" in found.unknown


@pytest.mark.usefixtures("project")
def test_a_version_that_is_named_by_its_path_is_its_models() -> None:
    built, compared = train()
    (found,) = against("v1", [Subject(name=built.subject.path, path=built.subject.path)], compared)
    assert (found.churn, found.unknown) == (0.0, "")


def test_outside_a_repository_it_is_a_matter_of_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="in no repository"):
        against("v1", [], Comparison(schema_version="1.0", models=()))


@pytest.mark.usefixtures("project")
def test_every_report_says_it_and_the_verdict_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    built, compared = train(before=OTHER)
    drifts = against("v1", [built.subject], compared)
    verdict = judge(compared, Policy())
    publish(Path("reports"), verdict, compared, built.evidence, drifts)
    page = Path("reports/report.html").read_text()
    assert "<h3>against v1</h3>" in page
    assert "2 of 5 decisions changed" in page
    assert f"<code>{ENCODER}</code>" in page
    assert "| digits | 40.0% of the decisions changed" in Path("reports/report.md").read_text()
    figures = read_json(Path("reports") / METRICS)["models"]["digits"]
    assert figures["against"] == {
        "revision": "v1", "churn": 0.4, "max_abs_digits": figures["against"]["max_abs_digits"], "weights_different": 1,
        "bytes_then": 20, "reload_seconds_then": 1.5,
    }  # fmt: skip
    assert figures["status"] == "PASS"
    show_drifts(drifts)
    assert capsys.readouterr().out.startswith("digits against v1: 40.0% of the decisions changed")
