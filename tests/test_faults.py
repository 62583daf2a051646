"""Every damage that the gate is there for, on real trained versions: the code, and the row that says why."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reloadgate
from damages import ARTIFACT_DAMAGES, TO_DIGESTS, reseal
from reloadgate.evidence import EVIDENCE_DIR
from reloadgate.verdict import Status, Verdict

pytestmark = pytest.mark.keras

Check = Callable[..., Verdict]
CopyOf = Callable[[str], Path]


def failed(verdict: Verdict, group: str) -> list[str]:
    return [f.message for f in verdict.of(Status.FAIL) if f.row.group == group]


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_a_version_that_nobody_touched_passes(name: str, copy_of: CopyOf, check: Check) -> None:
    verdict = check(copy_of(name))
    assert verdict.exit_code == 0, [f.message for f in verdict.of(Status.FAIL, Status.UNVERIFIED)]
    assert {"weights", "optimizer", "predictions", "resume", "relocation", "round trip"} <= {
        str(f.row.group) for f in verdict.of(Status.PASS)
    }


@pytest.mark.parametrize("what", TO_DIGESTS)
def test_a_damaged_artifact_fails_by_its_digest_and_by_what_differs(what: str, copy_of: CopyOf, check: Check) -> None:
    name, damage, group, part = ARTIFACT_DAMAGES[what]
    version, _ = copy_of(name), copy_of("diabetes" if name == "digits" else "digits")
    damage(version)
    verdict = check(version)
    assert verdict.exit_code == 1
    assert failed(verdict, "integrity")
    assert any(part in message for message in failed(verdict, group)), failed(verdict, group)


@pytest.mark.parametrize("what", ARTIFACT_DAMAGES)
def test_a_damage_that_the_save_itself_made_is_caught_by_the_row_of_its_kind(what: str, copy_of: CopyOf, look: Check) -> None:
    name, damage, group, part = ARTIFACT_DAMAGES[what]
    version, _ = copy_of(name), copy_of("diabetes" if name == "digits" else "digits")
    damage(version)
    reseal(version)
    verdict = look(version)
    assert verdict.exit_code == 1
    assert not failed(verdict, "integrity")
    assert not failed(verdict, "evidence")
    found = [f for f in verdict.of(Status.FAIL) if f.row.group == group and part in f.message]
    assert found, [f"{f.row.group}: {f.message}" for f in verdict.of(Status.FAIL)]
    assert found[0].row.model and found[0].remedy
    if found[0].row.outcome == "differs":
        named = "as large as the signal" if found[0].smallest_tolerance is None else "smallest that would pass"
        assert named in found[0].message


def test_moments_lost_show_in_the_resumed_steps_and_not_in_the_predictions(copy_of: CopyOf, check: Check) -> None:
    version = copy_of("digits")
    ARTIFACT_DAMAGES["all moments zeroed"][1](version)
    verdict = check(version)
    assert any("loss per step" in f.row.subject for f in verdict.of(Status.FAIL))
    assert not failed(verdict, "predictions")


@pytest.mark.parametrize("prefix", ["predict/", "log/loss"])
def test_recorded_predictions_or_losses_that_were_altered_fail_by_digest(prefix: str, copy_of: CopyOf, look: Check) -> None:
    version = copy_of("digits")
    path = version / EVIDENCE_DIR / "arrays.npz"
    with np.load(path) as npz:
        arrays = dict(npz)
    name = next(name for name in arrays if name.startswith(prefix))
    arrays[name] = arrays[name] + 1
    np.savez(path, **arrays)
    verdict = look(version)
    assert verdict.exit_code == 1
    assert any("arrays.npz" in message for message in failed(verdict, "evidence"))


def test_a_version_without_evidence_is_unverified_and_still_reloaded(copy_of: CopyOf, check: Check) -> None:
    version = copy_of("digits")
    shutil.rmtree(version / EVIDENCE_DIR)
    verdict = check(version)
    assert verdict.exit_code == 3
    assert any(f.row.group == "load" for f in verdict.of(Status.PASS))
    assert any("no evidence was saved" in f.message for f in verdict.of(Status.UNVERIFIED))


def test_a_bare_artifact_is_unverified(copy_of: CopyOf, check: Check) -> None:
    assert check(copy_of("digits") / "model.keras").exit_code == 3


def test_an_empty_probe_is_unverified(keras: Any, tables: Any, check: Check, tmp_path: Path) -> None:
    x, y = tables["digits"]
    model = _small(keras)
    version = reloadgate.save(model, tmp_path / "m/1", probe=(x[:0, :4], y[:0, None]), location="any")
    assert check(version).exit_code == 3


def test_predictions_that_are_all_nan_fail(keras: Any, check: Check, tmp_path: Path) -> None:
    model = _small(keras)
    model.layers[-1].kernel.assign(np.full((4, 2), np.nan, np.float32))
    version = reloadgate.save(model, tmp_path / "m/1", probe=_batch(), location="any")
    verdict = check(version)
    assert verdict.exit_code == 1
    assert any("every prediction was NaN" in message for message in failed(verdict, "predictions"))


def test_a_model_that_no_step_moves_is_unverified_and_its_variables_are_not_exercised(
    keras: Any, check: Check, tmp_path: Path
) -> None:
    model = _small(keras)
    model.optimizer.learning_rate.assign(0.0)
    verdict = check(reloadgate.save(model, tmp_path / "m/1", probe=_batch(), location="any"))
    assert verdict.exit_code == 3
    assert any("no trainable variable moved" in f.message for f in verdict.of(Status.UNVERIFIED))
    assert any(f.row.outcome == "not exercised" for f in verdict.of(Status.NOTED))


def test_an_output_that_is_the_same_for_every_row_is_not_exercised(keras: Any, check: Check, tmp_path: Path) -> None:
    model = _small(keras)
    model.layers[-1].kernel.assign(np.zeros((4, 2), np.float32))
    verdict = check(reloadgate.save(model, tmp_path / "m/1", probe=_batch(), location="any"))
    assert any("the same for every row" in f.message for f in verdict.of(Status.NOTED))


def test_an_output_without_rows_is_compared_as_every_other(keras: Any, check: Check, tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.ops.mean(keras.layers.Dense(2)(inputs)))
    model.compile(optimizer="adam", loss="mse")
    formats = ("keras", "saved_model")
    verdict = check(reloadgate.save(model, tmp_path / "m/1", probe=_batch(), formats=formats, location="any"))
    compared = {f.row.subject for f in verdict.of(Status.PASS) if f.row.group == "predictions"}
    assert {"call: output", "serve: output"} <= compared


def _small(keras: Any) -> Any:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(2)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    return model


def _batch() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.normal(size=(16, 4)).astype(np.float32), random.normal(size=(16, 2)).astype(np.float32)
