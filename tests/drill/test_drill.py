"""A drill of a real version: every area, verified through the engine, and what survives when the policy lets it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reloadgate
from reloadgate.drill.damages import DAMAGES
from reloadgate.drill.report import alone
from reloadgate.drill.running import drill
from reloadgate.drill.trials import Area, Drill, Outcome, Trial
from reloadgate.engine import EngineSettings, LocalEngine
from reloadgate.files import digests
from reloadgate.policy import Policy, policy_from
from reloadgate.project import Subject, read_records
from reloadgate.verdict import Status

pytestmark = pytest.mark.keras

ANSWERED: dict[tuple[str, str], tuple[str, ...]] = {
    # artifact and damage: groups of checks that must be among those that caught it
    ("model.keras", "one weight by one ULP"): ("weights", "predictions", "resume"),
    ("model.keras", "mean and variance are swapped"): ("weights", "predictions"),
    ("model.keras", "all slots are zeroed"): ("optimizer", "resume"),
    ("model.keras", "another loss"): ("compile", "resume"),
    ("model.keras", "steps_per_execution is another"): ("compile",),
    ("model.keras", "another dropout rate"): ("structure", "predictions"),
    ("model.keras", "truncated in the middle"): ("inspect",),
    ("saved_model", "one weight by one ULP"): ("weights",),
    ("saved_model", "a variable is zeroed"): ("weights", "predictions"),
    ("saved_model", "truncated in the middle"): ("inspect",),
    ("saved_model", "the graph is missing"): ("inspect",),
    ("model.keras", "missing"): ("evidence",),
    ("model.keras", "its noise floors are raised"): ("evidence",),
    ("model.keras", "the verdict is missing"): ("gate",),
}

TOLERATED = "a variable by 1e-6"


class Drilled:
    """A recorded version, drilled in the warm engine."""

    def __init__(self, subject: Subject, engine: LocalEngine, records: Path) -> None:
        self._subject, self._engine, self._records = subject, engine, records

    def __call__(self, policy: Policy, *names: str, **options: Any) -> Drill:
        chosen = [damage for damage in DAMAGES if damage.name in names]
        # A record has the version's path within its project, in which these tests do not run.
        records = {name: replace(record, path=self._subject.path) for name, record in read_records(self._records).items()}
        return drill([self._subject], policy, EngineSettings(), records=records, damages=chosen, engine=self._engine, **options)


@pytest.fixture(scope="module")
def recorded(keras: Any, engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Drilled, Path]:
    project = tmp_path_factory.mktemp("drilled")
    (project / ".dvc").mkdir()
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(name="normal"),
            keras.layers.Dropout(0.2, seed=1, name="dropout"),
            keras.layers.Dense(2, name="out"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError())
    random = np.random.default_rng(0)
    x, y = random.normal(size=(16, 4)).astype(np.float32), random.normal(size=(16, 2)).astype(np.float32)
    model.fit(x, y, epochs=2, verbose=0)
    version = reloadgate.save(
        model, project / "models/m/1.0.0", probe=(x, y), formats=("keras", "saved_model"), location="any",
        records=project / "records",
    )  # fmt: skip
    return Drilled(Subject(name="m", path=str(version)), engine, project / "records"), version


@pytest.fixture(scope="module")
def drilled(recorded: tuple[Drilled, Path], anywhere: Policy) -> Drill:
    run, _ = recorded
    names = {damage for _, damage in ANSWERED} | {"packed again", "bucket boundaries move", "open to every user"}
    return run(anywhere, *names, thorough=True)


def trial(drilled: Drill, artifact: str, damage: str) -> Trial:
    return next(trial for trial in drilled.trials if (trial.artifact, trial.damage) == (artifact, damage))


@pytest.mark.parametrize(("artifact", "damage"), ANSWERED)
def test_a_damage_is_caught_by_the_checks_that_are_there_for_it(artifact: str, damage: str, drilled: Drill) -> None:
    found = trial(drilled, artifact, damage)
    assert found.outcome is Outcome.CAUGHT
    assert {*ANSWERED[artifact, damage]} <= {*found.by}
    assert "integrity" not in found.by


def test_what_cannot_be_noticed_is_told_apart(drilled: Drill) -> None:
    assert trial(drilled, "model.keras", "packed again").outcome is Outcome.EQUIVALENT
    assert trial(drilled, "model.keras", "bucket boundaries move").outcome is Outcome.NOT_APPLICABLE
    assert trial(drilled, "saved_model", "another loss").outcome is Outcome.NOT_APPLICABLE


def test_what_the_policy_allows_survives_and_the_drill_says_which_setting(drilled: Drill) -> None:
    found = trial(drilled, "model.keras", "open to every user")
    assert (found.outcome, found.advice) == (Outcome.SURVIVED, ("`policy.location: persistent`",))
    assert drilled.status is Status.PASS  # nobody asked for a score


def test_some_checks_are_all_that_there_is_between_a_damage_and_a_pass(drilled: Drill) -> None:
    """Without the check the damage would pass: the same table is made of every drill."""
    found = {group: {trial.damage for trial in trials} for group, trials in alone(drilled.trials).items()}
    assert found["compile"] == {"steps_per_execution is another"}
    assert found["evidence"] >= {"missing"}
    assert found["gate"] >= {"the verdict is missing"}


def test_a_drill_that_is_not_thorough_comes_to_the_same_and_looks_no_deeper_than_it_takes(
    recorded: tuple[Drilled, Path], drilled: Drill, anywhere: Policy
) -> None:
    run, _ = recorded
    names = (
        "one weight by one ULP",
        "all slots are zeroed",
        "steps_per_execution is another",
        "packed again",
        "open to every user",
    )
    found = {(one.artifact, one.damage): one for one in run(anywhere, *names).trials if one.damage in names}
    whole = {(one.artifact, one.damage): one for one in drilled.trials if one.damage in names}
    assert {key: one.outcome for key, one in found.items()} == {key: one.outcome for key, one in whole.items()}
    assert all(found[artifact, "one weight by one ULP"].by == ("weights",) for artifact in ("model.keras", "saved_model"))
    assert {"weights", "predictions", "resume"} <= {*whole["model.keras", "one weight by one ULP"].by}


def test_every_area_is_drilled_and_every_damage_of_the_pipeline_answered(drilled: Drill) -> None:
    assert {one.area for one in drilled.trials} == set(Area)
    assert {one.outcome for one in drilled.trials if one.area is Area.PIPELINE} == {Outcome.CAUGHT}


def test_under_a_loose_policy_the_digest_alone_tells_and_the_tolerance_is_named(recorded: tuple[Drilled, Path]) -> None:
    run, version = recorded
    loose = {
        "location": "any",
        "requires": {"version": "infer", "keras": "infer"},
        "tolerances": {"weights": 1e-3, "predictions": 1e-3},
    }
    before = digests(version)
    place = version.parents[2] / ".dvc/tmp/reloadgate"
    (place / ".reloadgate-scratch-drill-0/00001").mkdir(parents=True)  # of a drill that was killed
    found = run(policy_from(loose), TOLERATED, min_score=1.0)
    survivor = trial(found, "model.keras", TOLERATED)
    assert survivor.outcome is Outcome.DIGEST
    assert any("`tolerances.weights` below" in advice for advice in survivor.advice)
    assert any("`policy.requires: {version: resume}`" in advice for advice in survivor.advice)
    assert found.status is Status.FAIL
    assert digests(version) == before
    assert not list(place.iterdir())


def test_a_version_that_does_not_pass_undamaged_is_not_scored(recorded: tuple[Drilled, Path], tmp_path: Path) -> None:
    run, version = recorded
    broken = Path(shutil.copytree(version, tmp_path / "models/m/1.0.0"))
    (broken / "model.keras").write_bytes(b"")
    run = Drilled(Subject(name="m", path=str(broken)), run._engine, tmp_path / "records")
    found = run(policy_from({"location": "any"}), "empty", "open to every user")
    assert (found.status, [one for one in found.trials if one.artifact == "model.keras"]) == (Status.UNVERIFIED, [])
    assert "m model.keras" in found.unfit
