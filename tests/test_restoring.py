"""Exact resume: `restore` gives back what goes on as if it had never stopped, and a killed training ends with the same bits."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import reloadgate
from reloadgate.engine import LocalEngine
from reloadgate.errors import RefusedError, UnreadableRecordError, UsageError
from reloadgate.evidence import EVIDENCE_DIR, SavedEvidence, read_saved, read_sealed, write_evidence
from reloadgate.nouns import read_json, write_json
from reloadgate.policy import Policy
from reloadgate.verdict import Status

pytestmark = pytest.mark.keras

HERE = Path(__file__).parent


def bits(model: Any) -> list[bytes]:
    seeds = [generator.state for layer in model.layers for generator in layer._seed_generators]
    return [variable.numpy().tobytes() for variable in [*model.weights, *model.optimizer.variables, *seeds]]


@pytest.fixture(scope="module")
def interrupted(keras: Any, models: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, tuple[Any, Any]]:
    """A version saved after two epochs, and the model that went on for two more."""
    keras.utils.set_random_seed(3)
    model, batch = models.plain(), models.data("plain")
    model.fit(*batch, epochs=2, batch_size=8, shuffle=False, verbose=0)
    version = reloadgate.save(
        model, tmp_path_factory.mktemp("restoring") / "plain/1", probe=batch, epoch=2, formats=("keras", "weights", "checkpoint"),
        builder="models:plain", location="any",
    )  # fmt: skip
    model.fit(*batch, epochs=4, initial_epoch=2, batch_size=8, shuffle=False, verbose=0)
    return version, model, batch


@pytest.mark.parametrize("form", ["keras", "weights", "checkpoint"])
def test_a_restored_model_ends_with_the_bits_of_the_one_that_never_stopped(
    form: str, interrupted: Any, tmp_path: Path, keras: Any
) -> None:
    from dataclasses import replace

    from damages import reseal

    version, uninterrupted, batch = interrupted
    copy = Path(shutil.copytree(version, tmp_path / "1"))
    saved, _ = read_saved(copy / EVIDENCE_DIR)
    write_evidence(copy / EVIDENCE_DIR, replace(saved, artifacts=tuple(a for a in saved.artifacts if a.format == form)))
    reseal(copy)
    keras.utils.set_random_seed(77)
    model, progress = reloadgate.restore(copy)
    assert (progress.epoch, progress.batch, progress.step) == (2, 0, 6)
    model.fit(*batch, epochs=4, initial_epoch=progress.epoch, batch_size=8, shuffle=False, verbose=0)
    assert bits(model) == bits(uninterrupted)


@pytest.mark.parametrize("drawn_there", [True, False])
@pytest.mark.parametrize("drawn_here", [True, False])
def test_kerass_global_seed_generator_goes_on_where_the_saved_process_had_drawn_from_it(
    drawn_there: bool, drawn_here: bool, keras: Any, models: Any, tmp_path: Path
) -> None:
    """It is there only once something has drawn from it without a seed, be it the data."""
    from keras.src.backend.common import global_state

    def shared() -> Any:
        return global_state.get_global_attribute("global_seed_generator")

    def begin_anew(draw: bool) -> None:
        global_state.set_global_attribute("global_seed_generator", None)
        if draw:
            keras.random.normal([1])

    keras.utils.set_random_seed(3)
    begin_anew(drawn_there)
    model, batch = models.plain(), models.data("plain")
    model.fit(*batch, epochs=1, batch_size=8, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    assert (shared() is not None) == drawn_there, "what observes a model leaves no generator behind"
    then = shared().state.numpy().tolist() if drawn_there else None
    keras.utils.set_random_seed(4)
    begin_anew(drawn_here)
    restored, _ = reloadgate.restore(tmp_path / "1")
    assert bits(restored) == bits(model)
    if drawn_there:
        assert shared().state.numpy().tolist() == then


def test_what_was_altered_is_not_restored(interrupted: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(interrupted[0], tmp_path / "1"))
    data = bytearray((copy / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "model.keras").write_bytes(bytes(data))
    with pytest.raises(RefusedError, match=r"model\.keras: not the bytes"):
        reloadgate.restore(copy)


def test_evidence_that_was_altered_restores_nothing(interrupted: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(interrupted[0], tmp_path / "1"))
    path = copy / "evidence/evidence.json"
    altered = read_json(path)
    altered["record"]["progress"]["epoch"] += 1
    write_json(path, altered)
    with pytest.raises(RefusedError, match=r"evidence\.json: its record is not the one that was sealed"):
        reloadgate.restore(copy)


def test_a_file_that_holds_another_model_is_not_restored(interrupted: Any, tmp_path: Path) -> None:
    from damages import reseal

    version, uninterrupted, _ = interrupted
    copy = Path(shutil.copytree(version, tmp_path / "1"))
    uninterrupted.save(copy / "model.keras")
    reseal(copy)
    with pytest.raises(RefusedError, match=r"\d+ variables are not those that were saved"):
        reloadgate.restore(copy)


# SaveVersions


def run(folder: str, kill_at: str = "") -> list[str]:
    """The events of a run of three epochs, up to the one at which it is killed."""
    command = [sys.executable, str(HERE / "long_training.py"), folder]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=HERE
    ) as process:
        assert process.stdout is not None
        events = []
        for line in process.stdout:
            events.append(line.strip())
            if kill_at and events[-1] == kill_at:
                process.send_signal(signal.SIGKILL)
                break
        _, errors = process.communicate()
    assert process.returncode == (-signal.SIGKILL if kill_at else 0), errors[-2000:]
    return events


MOMENTS = ("batch 1", "saving 2", "judging 2", "batch 3", "saving 5", "pruning 8")
"""Before any version, in the middle of saving one, before it is judged, in mid-epoch, and before others are removed."""


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(keras: Any, models: Any, tmp_path: Path) -> None:
    """Three batches an epoch, a version every two: what is resumed lies in the middle of an epoch."""
    keras.utils.set_random_seed(3)
    model, (x, y) = models.plain(), models.data("plain")
    fitted = model.fit(x, y, validation_data=(x, y), epochs=3, batch_size=8, shuffle=False, verbose=0)
    folder = tmp_path / "plain"
    began = [run(str(folder), kill_at=moment)[:3] for moment in MOMENTS]
    assert began[:3] == [["batch 1"], ["batch 1", "batch 2", "saving 2"], ["batch 1", "batch 2", "saving 2"]], "nothing was there"
    assert began[3] == ["judging 0", "batch 2", "batch 2"], "what was whole is judged, and its two batches are left alone"
    assert began[4] == ["batch 2", "batch 2", "batch 3"], "judged once"
    events = run(str(folder))
    assert events[0] == "batch 8", "the version of the eighth batch had passed when the run was killed"
    last = [f"final {name} {values[-1]}" for name, values in sorted(fitted.history.items())]
    assert [event for event in events if event.startswith("final")] == [
        *(f"final {sha256(one).hexdigest()}" for one in bits(model)), *last,
    ]  # fmt: skip
    kept = read_json(folder / "versions.json")["versions"]
    assert {one["status"] for one in kept.values()} == {"PASS"}
    assert {path.name for path in folder.iterdir()} == {*kept, "versions.json"}, (
        "what was pruned is gone, and nothing is half there"
    )
    assert "epoch-00002-batch-000002" in kept


def test_pruning_keeps_the_last_the_best_and_the_last_that_passed(tmp_path: Path) -> None:
    from reloadgate.callbacks import Kept, SaveVersions

    one = SaveVersions(tmp_path, probe=np.zeros((1, 1)), keep=1, best="val_loss")
    scores = {1: (Status.PASS, 0.1), 2: (Status.PASS, 0.5), 3: (Status.FAIL, 0.01), 4: (Status.UNVERIFIED, 0.2)}
    kept = {f"epoch-{n:05}": Kept(epoch=n, batch=0, evidence_sha256="", status=s, score=x) for n, (s, x) in scores.items()}
    for name in kept:
        (tmp_path / name).mkdir()
    one._write(kept)
    one._prune()
    assert sorted(path.name for path in tmp_path.glob("epoch-*")) == ["epoch-00001", "epoch-00002", "epoch-00004"]
    assert sorted(one._ledger()) == ["epoch-00001", "epoch-00002", "epoch-00004"]


class StopError(Exception):
    pass


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_fit_goes_on_after_the_last_version_that_passed(
    unit: Any, keras: Any, models: Any, tmp_path: Path, anywhere: Policy, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*callbacks: Any) -> tuple[Any, list[int], dict[str, list[float]]]:
        keras.utils.set_random_seed(3)
        model, seen = models.plain(), []
        saying = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append(int(model.optimizer.iterations))
        )
        fitted = model.fit(
            *models.data("plain"), epochs=3, batch_size=8, shuffle=False, verbose=0, callbacks=[saying, *callbacks]
        )
        return model, seen, fitted.history

    def stop(batch: int, logs: Any) -> None:
        if int(stopping.model.optimizer.iterations) == 7:
            raise StopError

    uninterrupted, steps, logs = fit()
    assert steps == list(range(1, 10))
    monkeypatch.setattr("reloadgate.callbacks.LocalEngine", lambda: nullcontext(engine))
    stopping = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    every = 1 if unit == "epoch" else 2
    saves = [
        reloadgate.SaveVersions(
            tmp_path / "m", probe=models.data("plain"), location="any", policy=anywhere, unit=unit, every=every, keep=9
        )
        for _ in range(2)
    ]
    with pytest.raises(StopError):
        fit(stopping, saves[0])
    model, steps, resumed = fit(saves[1])
    assert steps == ([7, 8, 9] if unit == "epoch" else [5, 5, 6, 7, 8, 9])
    assert bits(model) == bits(uninterrupted)
    assert resumed == {name: values[-len(resumed[name]) :] for name, values in logs.items()}, "logs of the whole epoch"
    assert len(read_json(tmp_path / "m" / "versions.json")["versions"]) == 3


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What becomes of the versions by name, PASS where nothing else is said, without a reload."""
    said: dict[str, str] = {}

    def verify(version: Path, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(status=Status(said.get(version.name, "PASS")), of=lambda *_: (), reason="as the test has it")

    monkeypatch.setattr("reloadgate.callbacks.verify", verify)
    monkeypatch.setattr("reloadgate.callbacks.LocalEngine", nullcontext)
    return said


def fit_and_save(model: Any, batch: Any, folder: Path, epochs: int, held_out: Any = None, **options: Any) -> None:
    saves = reloadgate.SaveVersions(folder, probe=batch, location="any", **{"keep": 9} | options)
    fitting = {"validation_data": held_out, "batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(*batch, epochs=epochs, callbacks=[saves], **fitting)


def steps_of(folder: Path) -> dict[str, int]:
    return {path.name: read_sealed(SavedEvidence, path / EVIDENCE_DIR).record.progress.step for path in folder.glob("epoch-*")}


def test_a_folder_in_which_nothing_passed_is_refused_before_training(models: Any, tmp_path: Path, judged: dict[str, str]) -> None:
    judged["epoch-00001"] = "UNVERIFIED"
    with pytest.warns(UserWarning, match="epoch-00001 is UNVERIFIED"):
        fit_and_save(models.plain(), models.data("plain"), tmp_path / "m", 1)
    judged.clear()
    model = models.plain()
    with pytest.raises(RefusedError, match=r"m holds epoch-00001, of which none passed .* choose another folder, or remove"):
        fit_and_save(model, models.data("plain"), tmp_path / "m", 2)
    assert int(model.optimizer.iterations) == 0
    shutil.rmtree(tmp_path / "m/epoch-00001")
    fit_and_save(model, models.data("plain"), tmp_path / "m", 1)
    assert read_json(tmp_path / "m/versions.json")["versions"]["epoch-00001"]["status"] == "PASS"


def test_what_did_not_pass_after_the_version_that_is_resumed_is_saved_anew(
    models: Any, tmp_path: Path, judged: dict[str, str]
) -> None:
    judged |= {"epoch-00002": "FAIL", "epoch-00003": "FAIL"}
    with pytest.warns(UserWarning, match="epoch-0000. is FAIL"):
        fit_and_save(models.plain(), models.data("plain"), tmp_path / "m", 3)
    (tmp_path / "m/epoch-00002/of-before").touch()
    judged.clear()
    with pytest.warns(UserWarning, match="goes on after .*epoch-00001; removed, .*: epoch-00002, epoch-00003"):
        fit_and_save(models.plain(), models.data("plain"), tmp_path / "m", 2)
    assert steps_of(tmp_path / "m") == {"epoch-00001": 3, "epoch-00002": 6}
    assert not (tmp_path / "m/epoch-00002/of-before").exists()
    kept = read_json(tmp_path / "m/versions.json")["versions"]
    assert {name: one["status"] for name, one in kept.items()} == {"epoch-00001": "PASS", "epoch-00002": "PASS"}


def test_a_loss_that_is_no_number_scores_nothing(models: Any, tmp_path: Path, judged: dict[str, str]) -> None:
    x, y = models.data("plain")
    held_out = (x, np.full_like(y, np.nan))
    fit_and_save(models.plain(), (x, y), tmp_path / "m", 2, held_out, best="val_loss")
    kept = read_json(tmp_path / "m/versions.json")["versions"]
    assert [one["score"] for one in kept.values()] == [None, None]


def test_a_best_that_is_not_among_the_logs_is_warned_of_once(
    models: Any, tmp_path: Path, judged: dict[str, str], recwarn: pytest.WarningsRecorder
) -> None:
    fit_and_save(models.plain(), models.data("plain"), tmp_path / "m", 2, best="val_los")
    (told,) = [str(one.message) for one in recwarn if "val_los" in str(one.message)]
    assert re.search(r"epoch-00001 cannot be the best: its logs have no 'val_los'; there are .*\bloss\b", told)


def test_a_model_that_its_first_batch_builds_is_resumed(keras: Any, models: Any, tmp_path: Path, judged: dict[str, str]) -> None:
    def lazy() -> Any:
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.layers.Dense(8), keras.layers.Dropout(0.2), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    batch, uninterrupted, resumed = models.data("plain"), lazy(), lazy()
    uninterrupted.fit(*batch, epochs=2, batch_size=8, shuffle=False, verbose=0)
    fit_and_save(lazy(), batch, tmp_path / "m", 1)
    fit_and_save(resumed, batch, tmp_path / "m", 2)
    assert bits(resumed) == bits(uninterrupted)
    assert steps_of(tmp_path / "m") == {"epoch-00001": 3, "epoch-00002": 6}


def test_what_cannot_be_resumed_is_said_with_what_to_do(keras: Any, models: Any, tmp_path: Path, judged: dict[str, str]) -> None:
    batch, folder = models.data("plain"), tmp_path / "m"
    fit_and_save(models.plain(), batch, folder, 1)
    for layers in ([keras.layers.Dense(9), keras.layers.Dense(1)], [keras.layers.Dense(1)]):
        other = keras.Sequential([keras.Input((4,)), *layers])
        other.compile("adam", "mse")
        with pytest.raises(RefusedError, match=r"epoch-00001 cannot be resumed by the model .* choose another folder"):
            fit_and_save(other, batch, folder, 1)
    (folder / "versions.json").write_text("{")
    with pytest.raises(UnreadableRecordError, match=r"versions\.json cannot be read as JSON: .*; remove it: the versions"):
        fit_and_save(models.plain(), batch, folder, 1)
    (folder / "versions.json").unlink()
    fit_and_save(models.plain(), batch, folder, 1)
    assert list(read_json(folder / "versions.json")["versions"]) == ["epoch-00001"]


@pytest.mark.parametrize("options", [{"every": 0}, {"unit": "hour"}, {"mode": "auto"}, {"unit": "step", "best": "val_loss"}])
def test_what_cannot_be_kept_is_said_before_training(options: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        reloadgate.SaveVersions(tmp_path, probe=np.zeros((1, 1)), **options)
