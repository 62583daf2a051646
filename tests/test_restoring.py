"""Exact resume: `restore` gives back what goes on as if it had never stopped, and a killed training ends with the same bits."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models
import reloadgate
from reloadgate.callbacks import LEDGER
from reloadgate.errors import RefusedError
from reloadgate.nouns import read_json

pytestmark = pytest.mark.keras

HERE = Path(__file__).parent


def bits(model: Any) -> list[bytes]:
    seeds = [generator.state for layer in model.layers for generator in layer._seed_generators]
    return [variable.numpy().tobytes() for variable in [*model.weights, *model.optimizer.variables, *seeds]]


@pytest.fixture(scope="module")
def interrupted(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, models.Batch]:
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
    from reloadgate.evidence import EVIDENCE_DIR, read_saved, write_evidence

    version, uninterrupted, batch = interrupted
    copy = Path(shutil.copytree(version, tmp_path / "1"))
    saved, _ = read_saved(copy / EVIDENCE_DIR)
    write_evidence(copy / EVIDENCE_DIR, replace(saved, artifacts=tuple(a for a in saved.artifacts if a.format == form)))
    reseal(copy)
    keras.utils.set_random_seed(77)
    model, progress = reloadgate.restore(copy)
    assert (progress.epoch, progress.step) == (2, 6)
    model.fit(*batch, epochs=4, initial_epoch=progress.epoch, batch_size=8, shuffle=False, verbose=0)
    assert bits(model) == bits(uninterrupted)


def test_what_was_altered_is_not_restored(interrupted: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(interrupted[0], tmp_path / "1"))
    data = bytearray((copy / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "model.keras").write_bytes(bytes(data))
    with pytest.raises(RefusedError, match=r"model\.keras: not the bytes"):
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
    """The events of a run of four epochs, up to the one at which it is killed."""
    command = [sys.executable, str(HERE / "long_training.py"), folder, "4"]
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


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    expected = [event for event in run("-") if event.startswith("final")]
    folder = tmp_path / "plain"
    assert run(str(folder), kill_at="batch 5")[0] == "batch 1"
    # The version of the first epoch passed, so the run goes on after it, and is killed while it saves the third.
    assert run(str(folder), kill_at="saving 9")[0] == "batch 4"
    events = run(str(folder))
    assert events[0] in ("batch 7", "batch 10")
    assert [event for event in events if event.startswith("final")] == expected
    kept = read_json(folder / LEDGER)["versions"]
    assert {one["status"] for one in kept.values()} == {"PASS"}
    assert {path.name for path in folder.iterdir()} == {*kept, LEDGER}, "what was pruned is gone, and nothing is half there"
    assert "epoch-00004" in kept


def test_pruning_keeps_the_last_the_best_and_the_last_that_passed(tmp_path: Path) -> None:
    from reloadgate.callbacks import Kept, SaveVersions
    from reloadgate.verdict import Status

    one = SaveVersions(tmp_path, probe=np.zeros((1, 1)), keep=1, best="val_loss")
    scores = {1: (Status.PASS, 0.1), 2: (Status.PASS, 0.5), 3: (Status.FAIL, 0.01), 4: (Status.UNVERIFIED, 0.2)}
    kept = {f"epoch-{n:05}": Kept(epoch=n, evidence_sha256="", status=s, score=x) for n, (s, x) in scores.items()}
    for name in kept:
        (tmp_path / name).mkdir()
    one._write(kept)
    one._prune()
    assert sorted(path.name for path in tmp_path.glob("epoch-*")) == ["epoch-00001", "epoch-00002", "epoch-00004"]
    assert sorted(one._ledger()) == ["epoch-00001", "epoch-00002", "epoch-00004"]
