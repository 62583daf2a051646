"""Fresh processes: nothing of the caller is visible in a child, and a child that breaks is one result."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reloadgate
from reloadgate.engine import Job, LocalEngine
from reloadgate.evidence import EVIDENCE_DIR, read_saved, read_seal
from reloadgate.policy import Policy
from reloadgate.project import Subject
from reloadgate.reload import artifacts_of
from reloadgate.surroundings import fresh
from reloadgate.verdict import Status
from reloadgate.verifying import verify, verify_all

pytestmark = pytest.mark.keras

CODE = """
import json, os, signal, sys, time
import keras

def load(directory):
    return keras.models.load_model(directory / "model.keras")

def tells(directory):
    import random, threading
    raise RuntimeError("SEEN" + json.dumps({
        "secret": os.environ.get("RELOADGATE_TEST_SECRET"), "seed": os.environ["PYTHONHASHSEED"], "cwd": os.getcwd(),
        "empty": os.listdir("."), "path": [p for p in sys.path if p in ("", os.environ.get("PWD"))],
        "main": sorted(name for name in vars(sys.modules["__main__"]) if "Scale" in name),
        "threads": threading.active_count(), "pid": os.getpid(),
        "custom": [n for n in keras.saving.get_custom_objects() if n.startswith("test_engine")],
    }))

def crashes(directory):
    os.kill(os.getpid(), signal.SIGSEGV)

def hangs(directory):
    while True:
        signal.pause()

def wrong(directory):
    return {"not": "a model"}
"""


def small(keras: Any) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    random = np.random.default_rng(0)
    probe = random.normal(size=(16, 4)).astype(np.float32), random.normal(size=(16, 2)).astype(np.float32)
    model.fit(*probe, verbose=0)
    return model, probe


def own_version(keras: Any, folder: Path, loader: str) -> Path:
    """A version that a function of `loaders.py` reads."""
    model, probe = small(keras)
    version = folder / loader / "1"
    version.mkdir(parents=True)
    (folder / "loaders.py").write_text(CODE)
    model.save(version / "model.keras")
    return reloadgate.record(model, version, probe=probe, loader=f"loaders:{loader}", code_path=(str(folder),))


def messages(verdict: reloadgate.verifying.Verdict) -> str:
    return "\n".join(f"{f.row.group}: {f.message}" for f in verdict.of(Status.FAIL, Status.UNVERIFIED))


def test_a_users_own_loader_passes(keras: Any, check: Any, tmp_path: Path) -> None:
    verdict = check(own_version(keras, tmp_path, "load"))
    assert verdict.exit_code == 0, messages(verdict)


def test_nothing_of_the_caller_is_visible_in_a_child(
    keras: Any, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELOADGATE_TEST_SECRET", "token")

    @keras.saving.register_keras_serializable(package="test_engine")
    class Scale(keras.layers.Layer):
        pass

    text = messages(check(own_version(keras, tmp_path, "tells")))
    seen = json.loads(text.split("SEEN")[1].split("\n")[0])
    assert seen["secret"] is None
    assert seen["seed"] != os.environ.get("PYTHONHASHSEED", "random")
    assert Path(seen["cwd"]) != Path.cwd()
    assert seen["empty"] in ([], ["copy"])
    assert (seen["path"], seen["main"], seen["custom"]) == ([], [], [])
    assert seen["threads"] == 1
    assert seen["pid"] != os.getpid()


def test_the_hash_seed_is_another_also_where_it_is_pinned() -> None:
    for pinned in ("0", "4051", "4052"):
        assert fresh({"PYTHONHASHSEED": pinned}, [pinned])["PYTHONHASHSEED"] != pinned


def test_a_child_that_crashes_is_a_row_and_the_others_go_on(
    keras: Any, engine: LocalEngine, anywhere: Policy, tmp_path: Path
) -> None:
    subjects = [Subject(name=name, path=str(own_version(keras, tmp_path, name))) for name in ("crashes", "load", "wrong")]
    _, verdict = verify_all(subjects, anywhere, engine)
    statuses = {model.model: model.status for model in verdict.models}
    assert statuses == {"crashes": Status.FAIL, "load": Status.PASS, "wrong": Status.FAIL}
    assert "killed by signal 11" in messages(verdict)
    assert "returned dict, not a keras.Model" in messages(verdict)


def test_a_child_that_hangs_is_stopped(keras: Any, engine: LocalEngine, tmp_path: Path) -> None:
    version = own_version(keras, tmp_path, "hangs")
    artifact = artifacts_of(version, read_saved(version / EVIDENCE_DIR)[0])[0]
    (end,) = engine.run([Job(version=str(version), artifact=artifact, out=str(tmp_path / "out"), time_limit=2.0)])
    assert end.timed_out
    assert "stopped after 2 s" in end.reason


def test_the_bits_do_not_depend_on_how_many_run_at_once(keras: Any, engine: LocalEngine, tmp_path: Path) -> None:
    model, probe = small(keras)
    version = reloadgate.save(model, tmp_path / "m/1", probe=probe, location="any")
    artifact = artifacts_of(version, read_saved(version / EVIDENCE_DIR)[0])[0]
    jobs = [Job(version=str(version), artifact=artifact, out=str(tmp_path / f"out{n}")) for n in range(3)]
    assert [end.exit_code for end in engine.run(jobs)] == [0, 0, 0]
    seen = []
    for number in range(3):
        with np.load(tmp_path / f"out{number}" / "arrays.npz") as arrays:
            # A generator without a seed starts anew in every process: that is what `random state` is about.
            seen.append({k: arrays[k].tobytes() for k in arrays if not (k.startswith("before/") and "seed_gen" in k)})
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) > 20
    assert read_seal(tmp_path / "out0")[1]


SCRIPT = """
import sys
from pathlib import Path
import keras
import numpy as np
import reloadgate
from reloadgate.policy import policy_from
{define}

def main():
    model = keras.Sequential([keras.Input((3,)), Scale(), keras.layers.Dense(2)])
    model.compile(optimizer="adam", loss="mse")
    x, y = np.ones((4, 3), "float32") * np.arange(1, 5, dtype="float32")[:, None], np.ones((4, 2), "float32")
    folder = Path(sys.argv[1])
    version = reloadgate.save(model, folder / "m/1", probe=(x, y), location="any", imports={imports}, code_path=(str(folder),))
    verdict = reloadgate.verify(version, policy=policy_from({{"location": "any"}}))
    print(verdict.status, *(finding.message for finding in verdict.findings if finding.status == "FAIL"))

if __name__ == "__main__":
    main()
"""

LAYER = """
import keras
@keras.saving.register_keras_serializable(package="script")
class Scale(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
    def call(self, x):
        return x * self.scale
"""


@pytest.mark.parametrize(
    ("define", "imports", "expected"),
    [(LAYER, "()", "FAIL"), ("from mylayers import Scale", '("mylayers",)', "PASS")],
    ids=["at the top level of the script", "in a declared module"],
)
def test_a_custom_layer_is_known_only_where_it_is_declared(define: str, imports: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "mylayers.py").write_text(LAYER)
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(define=define, imports=imports))
    run = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.stdout.startswith(expected), run.stdout + run.stderr[-2000:]
    assert expected == "PASS" or "Scale" in run.stdout


def test_verify_without_an_engine_starts_its_own(keras: Any, anywhere: Policy, tmp_path: Path) -> None:
    model, probe = small(keras)
    assert verify(reloadgate.save(model, tmp_path / "m/1", probe=probe, location="any"), policy=anywhere).exit_code == 0
