"""What became of a damage, the score, and what a drill leaves."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import Built, build, comparison, difference, row
from conftest import ROOT
from drill.versions import KERAS, SERVED, write_version
from reloadgate import cli
from reloadgate.comparison import Outcome as RowOutcome
from reloadgate.drill.copies import Copy, Original
from reloadgate.drill.damages import DAMAGES
from reloadgate.drill.damages import pipeline as scenes
from reloadgate.drill.gating import gate_trials
from reloadgate.drill.outcomes import BEYOND, judged_trial, waits_for_more
from reloadgate.drill.report import METRICS, NEVER_ALONE, PAGE, alone, areas, begin, html, metrics, needed, publish
from reloadgate.drill.running import _drill, _policy_for
from reloadgate.drill.trials import Area, Drill, Outcome, Trial, score_of
from reloadgate.evidence import EVIDENCE_DIR, Capability, Depth, Group
from reloadgate.judge import judge
from reloadgate.policy import Policy, policy_from
from reloadgate.project import Subject
from reloadgate.terminal import show_drill
from reloadgate.verdict import Status

DAMAGE = DAMAGES[0]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    root = tmp_path_factory.mktemp("drilled")
    write_version(root / "models/m/1.0.0", KERAS)
    return Copy(Original(Subject(name="m", path=str(root / "models/m/1.0.0")), None), (KERAS,), root / "copies/1/1.0.0")


def tried(copy: Copy, *rows: Any, policy: Policy | None = None, files: dict[str, str] | None = None) -> Trial:
    """The trial of a copy whose comparison has these rows, and is all right otherwise."""
    compared = comparison(*rows).models[0]
    now = {file.path: file.sha256 for file in copy.recorded} if files is None else files
    compared = replace(compared, artifacts=tuple(replace(facts, files=now) for facts in compared.artifacts))
    policy = policy or Policy()
    whole = replace(comparison(), models=(compared,))
    return judged_trial(copy, DAMAGE, compared, judge(whole, policy).models[0], policy)


def moved(group: Group, by: float) -> Any:
    return row(group, RowOutcome.DIFFERS, difference=difference(by))


def test_a_catch_names_the_groups_that_caught_it_in_their_order_and_what_the_first_said(copy: Copy) -> None:
    trial = tried(copy, moved(Group.WEIGHTS, 0.5), moved(Group.PREDICTIONS, 0.25))
    assert (trial.outcome, trial.by) == (Outcome.CAUGHT, ("weights", "predictions"))
    assert trial.reason.startswith("weights: the weights")


def test_what_nobody_could_look_at_is_no_catch_of_its_own(copy: Copy) -> None:
    unlooked = row(Group.RESUME, RowOutcome.UNCHECKED, subject="", detail="nothing of resume was looked at")
    assert tried(copy, row(Group.LOAD, RowOutcome.BROKEN), unlooked).by == ("load",)


def test_where_nothing_but_the_digest_tells_it_is_no_catch(copy: Copy) -> None:
    assert tried(copy, files={KERAS.path: "0" * 64}).outcome is Outcome.DIGEST
    assert tried(copy).outcome is Outcome.SURVIVED


def test_a_survivor_says_which_tolerance_let_it_through_and_which_would_not_have(copy: Copy) -> None:
    loose = policy_from({"tolerances": {"weights": 1e-3, "predictions": 1e-3}})
    trial = tried(copy, moved(Group.WEIGHTS, 1e-5), moved(Group.PREDICTIONS, 2e-6), policy=loose)
    assert trial.outcome is Outcome.SURVIVED
    assert "a tighter tolerance: `tolerances.weights` below 1e-05" in trial.advice
    assert "a tighter tolerance: `tolerances.predictions` below 2e-06" in trial.advice
    tight = policy_from({"tolerances": {"weights": 1e-3, "predictions": 1e-6}})
    assert tried(copy, moved(Group.WEIGHTS, 1e-5), moved(Group.PREDICTIONS, 2e-6), policy=tight).outcome is Outcome.CAUGHT


def test_a_survivor_says_which_setting_let_it_through(copy: Copy) -> None:
    anywhere = policy_from({"location": "any"})
    assert "`policy.location: persistent`" in tried(copy, row(Group.LOCATION, RowOutcome.BROKEN), policy=anywhere).advice
    recorded = 'a record of the version that git tracks: `reloadgate.save(..., records="reports/versions")`'
    assert recorded in tried(copy).advice  # the copy's version has none


def test_a_survivor_that_moved_nothing_says_what_the_probe_never_reaches(copy: Copy) -> None:
    with_record = Copy.__new__(Copy)
    with_record.__dict__ |= copy.__dict__ | {"original": Original.__new__(Original)}
    with_record.original.__dict__ |= copy.original.__dict__ | {"recorded": True}
    advice = tried(with_record, row(Group.RESUME, RowOutcome.NOT_EXERCISED, subject="layers/dense/vars/1")).advice
    assert advice[0].startswith("a probe that exercises layers/dense/vars/1")
    assert any("1 of the 4 units of layers/dense are zero on all of its 5 rows" in one for one in advice)
    assert any("output is never 3 on its 5 rows" in one for one in advice)  # of the predictions in the evidence
    assert any("more than 3 resumed steps" in one for one in advice)


@pytest.mark.parametrize("depth", [Depth.STATE, Depth.BEHAVIOUR])
def test_only_what_lies_beyond_a_depth_is_left_for_later(depth: Depth) -> None:
    def waits(*rows: Any) -> bool:
        return waits_for_more(judge(comparison(*rows), Policy()).models[0], depth)

    beyond = [row(group, RowOutcome.UNCHECKED, subject="") for group in BEYOND[depth]]
    assert waits(*beyond)
    assert waits()
    assert not waits(*beyond, moved(Group.WEIGHTS, 1.0))
    assert not waits(row(Group.OPTIMIZER, RowOutcome.UNCHECKED, subject=""))
    assert not waits(row(Group.ROUND_TRIP, RowOutcome.BROKEN))
    assert waits(row(Group.RESUME, RowOutcome.UNCHECKED, subject="")) is (depth is Depth.STATE)


def test_nothing_waits_where_all_was_looked_at() -> None:
    assert not waits_for_more(judge(comparison(), Policy()).models[0], Depth.AGAIN)


def test_a_copy_is_judged_without_what_only_the_version_itself_can_have() -> None:
    """No remote has it, nobody signed it, and one that only infers is alone in it: that is not what is to be noticed."""
    policy = policy_from({"pushed": True, "signed": {"key": "key.pem"}, "flips": 2})
    judged = _policy_for((KERAS,), policy)
    assert (judged.pushed, judged.signed, judged.flips, judged.requires) == (False, None, 2, policy.requires)
    assert _policy_for((SERVED,), policy).requires.version is Capability.INFER
    assert _policy_for((SERVED, KERAS), policy).requires == policy.requires


# The score


def trial(outcome: Outcome, **fields: Any) -> Trial:
    usual: dict[str, Any] = {
        "model": "m", "artifact": "model.keras", "area": Area.WEIGHTS, "damage": "zeroed", "imitates": "i", "seen": "s",
        "by": ("weights",) if outcome is Outcome.CAUGHT else (), "reason": "r", "advice": (),
    }  # fmt: skip
    return Trial(outcome=outcome, **(usual | fields))


def drilled(*outcomes: Outcome, min_score: float | None = None, unfit: dict[str, str] | None = None) -> Drill:
    return _drill([trial(outcome) for outcome in outcomes], unfit or {}, Policy(), min_score, True, 1.0)


def test_the_score_is_a_share_of_what_can_be_noticed() -> None:
    score = score_of(trial(outcome) for outcome in Outcome)
    assert (score.caught, score.missed, score.share) == (1, 2, 1 / 3)
    assert score_of([trial(Outcome.EQUIVALENT), trial(Outcome.NOT_APPLICABLE)]).share is None


def test_nothing_tried_is_no_pass() -> None:
    assert drilled().status is Status.UNVERIFIED
    assert drilled(Outcome.EQUIVALENT, Outcome.NOT_APPLICABLE, min_score=0.0).status is Status.UNVERIFIED


def test_the_score_is_a_gate_where_one_is_asked_for() -> None:
    outcomes = (Outcome.CAUGHT, Outcome.CAUGHT, Outcome.CAUGHT, Outcome.DIGEST)
    assert drilled(*outcomes).status is Status.PASS
    assert drilled(*outcomes, min_score=0.75).status is Status.PASS
    assert drilled(*outcomes, min_score=0.76).status is Status.FAIL


def test_what_does_not_pass_undamaged_is_not_scored() -> None:
    found = drilled(Outcome.CAUGHT, unfit={"m model.keras": "weights: they differ"})
    assert (found.status, found.trials) == (Status.UNVERIFIED, ())
    assert "they differ" in found.reason


# What it leaves


def test_metrics_are_numbers_by_area_and_by_model() -> None:
    found = _drill(
        [trial(Outcome.CAUGHT), trial(Outcome.DIGEST, area=Area.STATE), trial(Outcome.NOT_APPLICABLE, area=Area.PLACE)],
        {}, Policy(), None, True, 1.0,
    )  # fmt: skip
    written = metrics(found)
    assert (written["score"], written["caught"], written["caught_by_the_digest_alone"]) == (0.5, 1, 1)
    assert written["areas"]["weights"]["score"] == 1
    assert "score" not in written["areas"]["place"]
    assert written["models"]["m"]["score"] == 0.5
    assert [area for area, _ in areas(found)] == ["weights", "state", "place", "all"]


def test_the_page_shows_what_was_not_caught_first_and_asks_for_nothing_outside() -> None:
    found = _drill(
        [trial(Outcome.CAUGHT), trial(Outcome.SURVIVED, damage="<b>lost", advice=("`tolerances.weights` below 1",))],
        {"x model.keras": "`y`"}, Policy(), None, True, 1.0,
    )  # fmt: skip
    page = html(found)
    assert page.index("&lt;b&gt;lost") < page.index("Every damage")
    assert "<code>tolerances.weights</code>" in page

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "link", "img")
            assert all(not (value or "").startswith(("http", "//")) for _, value in attrs)

    Reader().feed(page)


def test_metrics_and_page_say_error_until_the_drill_has_ended(tmp_path: Path) -> None:
    publish(tmp_path, drilled(Outcome.CAUGHT))
    begin(tmp_path)
    assert json.loads((tmp_path / METRICS).read_text()) == {"status": "ERROR"}
    assert "ERROR" in (tmp_path / PAGE).read_text()
    publish(tmp_path, drilled(Outcome.CAUGHT))
    assert json.loads((tmp_path / METRICS).read_text())["status"] == "PASS"


def test_the_terminal_names_what_was_not_caught_and_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    found = _drill([trial(Outcome.CAUGHT), trial(Outcome.DIGEST, advice=("more steps",))], {}, Policy(), 0.9, True, 1.0)
    show_drill(found, areas(found), "reports/drill.html")
    said = capsys.readouterr().out
    assert "50.0%" in said
    assert "caught by the digest alone: m model.keras: zeroed (weights)\n  → more steps" in said
    assert said.rstrip().endswith("FAIL: 50.0% of the damages that can be noticed were caught, and 90.0% were asked for")


def test_what_one_group_alone_caught_is_told_by_group() -> None:
    both = trial(Outcome.CAUGHT, by=("weights", "resume"))
    assert alone([trial(Outcome.CAUGHT), both, trial(Outcome.SURVIVED)]) == {"weights": [trial(Outcome.CAUGHT)]}


def test_the_table_of_what_each_check_is_needed_for_has_every_check_and_says_why_one_is_not() -> None:
    table = dict(needed([trial(Outcome.CAUGHT), trial(Outcome.CAUGHT, by=("gate",), damage="the verdict is missing")]))
    assert [*table] == [*map(str, Group), "gate"]
    assert (table["weights"], table["gate"]) == ("zeroed", "the verdict is missing")
    assert table["compile"] == "– (none in these models)"
    assert all(NEVER_ALONE[group] in table[group] for group in NEVER_ALONE)


# The pipeline's own damages


@pytest.fixture
def healthy(tmp_path: Path) -> Built:
    """A version that was reloaded and passes; its artifact can be read without TensorFlow."""
    return build(tmp_path)


def test_the_gate_answers_every_damage_of_the_pipeline(healthy: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(scene: scenes.Scene) -> None:
        scene.copy.write(scene.copy.path, b"other bytes")

    monkeypatch.setattr(scenes, "_damage_weights", spoil)  # the artifact of these evidences is no archive
    original = Original(healthy.subject, healthy.record(tmp_path / "records")["digits"])
    place = tmp_path / "copies/1/1.0.0"
    pristine = Copy(original, original.saved.artifacts, place)
    pristine.seal()
    subject = Subject(name="digits", path=str(place))
    trials = gate_trials(original, pristine, subject, {"digits": pristine.record("digits")}, healthy.evidence, Policy())
    assert {one.damage for one in trials} == {damage.name for damage in scenes.DAMAGES}
    assert {one.outcome for one in trials} == {Outcome.CAUGHT}, [one for one in trials if one.outcome is not Outcome.CAUGHT]
    assert all(one.by == ("gate",) and one.reason for one in trials)
    told = {one.damage: one.reason for one in trials}
    assert "the verdict on file says PASS, and judging again says FAIL" in told["an earlier verdict out of the run cache"]
    assert "the evidence is of other bytes" in told["reload is frozen"]


def test_a_scene_that_nobody_damaged_passes_the_gate(healthy: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the gate would seem to answer everything."""
    nothing = replace(scenes.DAMAGES[0], name="nothing", apply=lambda scene: None)
    monkeypatch.setattr("reloadgate.drill.gating.DAMAGES", [nothing])
    original = Original(healthy.subject, None)
    place = tmp_path / "copies/1/1.0.0"
    pristine = Copy(original, original.saved.artifacts, place)
    pristine.seal()
    (trial,) = gate_trials(original, pristine, Subject(name="digits", path=str(place)), {}, healthy.evidence, Policy())
    assert trial.outcome is Outcome.SURVIVED
    assert Capability.RESUME in {artifact.capability for artifact in pristine.artifacts}
    assert (place / EVIDENCE_DIR).is_dir()


def test_the_pipeline_does_not_run_the_drill_by_itself() -> None:
    assert "drill" not in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    stage = yaml.safe_load((ROOT / "drill/dvc.yaml").read_text())["stages"]["drill"]
    assert (stage["cmd"], stage["wdir"]) == ("reloadgate drill --min-score 1 --thorough", "..")
    assert {"reports/drill.json": {"cache": False}} in stage["metrics"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command in a folder of its own: its exit code."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["reloadgate", "drill", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return command


def test_a_version_without_evidence_is_unverified_in_the_metrics_too(run: Callable[..., int]) -> None:
    Path("params.yaml").write_text("models:\n  m: {version: 1.0.0}\n")
    Path("models/m/1.0.0").mkdir(parents=True)
    assert run() == 3
    assert json.loads((Path("reports") / METRICS).read_text())["status"] == "UNVERIFIED"


def test_a_wrong_path_or_score_is_a_usage_error(run: Callable[..., int]) -> None:
    assert run("models/none/1.0.0") == 2
    assert run("--min-score", "2") == 2
    assert run("--sample", "0") == 2
