"""Fresh processes: nothing of the caller is visible in a child, and a child that breaks is one result."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import reloadgate
from builders import ARTIFACT
from reloadgate.engine import Job, Limits, LocalEngine
from reloadgate.errors import EngineError
from reloadgate.evidence import EVIDENCE_DIR, Group, ReloadedEvidence, read_saved, read_sealed
from reloadgate.files import sha256_file
from reloadgate.inspection import Limits as InspectionLimits
from reloadgate.nouns import read_json
from reloadgate.policy import Policy, policy_from
from reloadgate.project import Subject
from reloadgate.recording import RESUMED_STEPS
from reloadgate.reload import artifacts_of
from reloadgate.surroundings import fresh
from reloadgate.verdict import Status
from reloadgate.verifying import verify, verify_all

pytestmark = pytest.mark.keras

NO_LIMITS = Limits()
INFERRING = policy_from({"location": "any", "requires": {"version": "infer", "own": "infer"}})
"""Where no step is asked for."""

CODE = """
import json, os, signal, sys, time
import keras
from tensorflow.python.eager.context import context
eager = context()

def load(directory):
    return keras.models.load_model(directory / "model.keras")

def tells(directory):
    # What it finds of others, and then what others could find of it.
    import random, socket, threading
    import numpy as np
    import tensorflow as tf
    try:
        network = socket.socket() and "open"
    except OSError as error:
        network = type(error).__name__
    seen = {
        "network": network, "home": os.path.expanduser("~"),
        "secret": os.environ.get("RELOADGATE_TEST_SECRET"), "seed": os.environ["PYTHONHASHSEED"], "cwd": os.getcwd(),
        "empty": os.listdir("."), "path": [p for p in sys.path if p in ("", "/left", os.environ.get("PWD"))],
        "main": sorted(name for name in vars(sys.modules["__main__"]) if "Scale" in name),
        "threads": threading.active_count(), "pid": os.getpid(), "random": [random.random(), float(np.random.random())],
        "initialized": tf.executing_eagerly() and tf.__internal__.tf2.enabled() and bool(eager._context_handle),
        "custom": [n for n in keras.saving.get_custom_objects() if n.startswith("test_engine")],
    }
    os.environ["RELOADGATE_TEST_SECRET"] = "left"
    sys.path.append("/left")
    threading.Thread(target=signal.pause, daemon=True).start()
    random.seed(1), np.random.seed(1), keras.utils.set_random_seed(1)
    keras.saving.register_keras_serializable(package="test_engine")(type("Scale", (keras.layers.Layer,), {}))
    sys.modules["__main__"].Scale = 1
    tf.zeros(3)
    raise RuntimeError("SEEN" + json.dumps(seen))

def crashes(directory):
    os.kill(os.getpid(), signal.SIGSEGV)

def hangs(directory):
    while True:
        signal.pause()

def grows(directory):
    held = b"x" * (1 << 30)
    hangs(directory)

def frees(directory):
    from pathlib import Path
    import tensorflow as tf

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    tf.zeros((2**21,))  # once freed, glibc takes blocks of its size for such as are needed again
    before = resident()
    held = [tf.ones((2**21,)) for _ in range(20)]
    kept.append(tf.ones((2**10,)))  # beyond them: nothing is given back from the end
    full = resident()
    del held
    raise RuntimeError("SEEN" + json.dumps({"held": full - before, "left": resident() - before}))

def spins(directory):
    while True:
        pass

def starts(directory):
    import subprocess
    started = subprocess.Popen(["sleep", "600"])
    (directory.parent / "started").write_text(str(started.pid))
    grows(directory)

def announces(directory):
    (directory.parent / "pipe").write_text(str(os.getpid()))
    hangs(directory)

def swaps(directory):
    path, aside = directory / "model.keras", directory.parent / "aside"
    content = path.read_bytes()
    path.rename(aside)
    path.write_bytes(content)  # what somebody would put there for as long as it is read
    model = keras.models.load_model(path)
    aside.rename(path)
    return model

def wrong(directory):
    return {"not": "a model"}

kept = []

def same(directory):
    if not kept:
        kept.append(load(directory))
    return kept[0]
"""


def small(keras: Any) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    random = np.random.default_rng(0)
    probe = random.normal(size=(16, 4)).astype(np.float32), random.normal(size=(16, 2)).astype(np.float32)
    model.fit(*probe, verbose=0)
    return model, probe


def own_version(keras: Any, folder: Path, loader: str, steps: int = 0) -> Path:
    """A version that a function of `loaders.py` reads; without resumed steps, which take the longest to record and to reload."""
    model, probe = small(keras)
    version = folder / loader / "1"
    version.mkdir(parents=True)
    (folder / "loaders.py").write_text(CODE)
    model.save(version / "model.keras")
    return reloadgate.record(model, version, probe=probe, loader=f"loaders:{loader}", code_path=(str(folder),), steps=steps)


def messages(verdict: reloadgate.verifying.Verdict) -> str:
    return "\n".join(f"{f.row.group}: {f.message}" for f in verdict.of(Status.FAIL, Status.UNVERIFIED))


@pytest.mark.parametrize("loader", ["load", "same"])
def test_a_users_own_loader_passes_and_may_give_the_same_model_again(loader: str, keras: Any, check: Any, tmp_path: Path) -> None:
    verdict = check(own_version(keras, tmp_path, loader, RESUMED_STEPS))
    assert verdict.exit_code == 0, messages(verdict)


def one_job(version: Path, out: Path, limits: Limits = NO_LIMITS) -> Job:
    artifact = artifacts_of(version, read_saved(version / EVIDENCE_DIR)[0])[0]
    return Job(version=str(version), artifact=artifact, out=str(out), limits=limits)


def seen_by(out: Path) -> dict[str, Any]:
    told = read_sealed(ReloadedEvidence, out).record.error.split("SEEN")[1]  # and where the loader broke
    found: dict[str, Any] = json.JSONDecoder().raw_decode(told)[0]
    return found


def test_nothing_of_the_caller_nor_of_another_child_is_visible_in_a_child(
    keras: Any, engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELOADGATE_TEST_SECRET", "token")

    @keras.saving.register_keras_serializable(package="test_engine")
    class Scale(keras.layers.Layer):
        pass

    version = own_version(keras, tmp_path, "tells")
    ends = [end for n in range(2) for end in engine.run([one_job(version, tmp_path / f"out{n}")])]
    assert [end.exit_code for end in ends] == [0, 0]
    first, second = (seen_by(tmp_path / f"out{n}") for n in range(2))
    for seen in (first, second):
        assert seen["secret"] is None
        assert seen["seed"] != os.environ.get("PYTHONHASHSEED", "random")
        assert Path(seen["cwd"]) != Path.cwd()
        assert (seen["empty"], seen["home"], seen["network"]) == ([], seen["cwd"], "PermissionError")
        assert (seen["path"], seen["main"], seen["custom"]) == ([], [], [])
        assert (seen["threads"], seen["initialized"]) == (1, False)
    assert len({os.getpid(), first["pid"], second["pid"]}) == 3
    assert first["cwd"] != second["cwd"]
    assert not {*first["random"]} & {*second["random"]}
    assert not Path(first["cwd"]).exists(), "nothing of a child is left"


def test_the_hash_seed_is_another_also_where_it_is_pinned() -> None:
    for pinned in ("0", "4051", "4052"):
        assert fresh({"PYTHONHASHSEED": pinned}, [pinned])["PYTHONHASHSEED"] != pinned


def test_containment_is_a_row(keras: Any, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = check(own_version(keras, tmp_path, "load"))
    (finding,) = [finding for finding in verdict.findings if finding.row.group is Group.CONTAINMENT]
    assert finding.status is Status.PASS
    assert "no network" in finding.message


def test_a_file_that_was_another_while_the_users_loader_ran_is_noticed(keras: Any, check: Any, tmp_path: Path) -> None:
    verdict = check(own_version(keras, tmp_path, "swaps"), INFERRING)
    assert verdict.status is Status.UNVERIFIED
    assert "changed while the loader ran" in messages(verdict)


SWAPS = """
from pathlib import Path
path = Path(__file__).parent / "m/1/model.keras"  # imported when the files are hashed, and nothing is loaded yet
path.write_bytes(b"what somebody puts there")
"""


def test_what_is_loaded_is_what_was_hashed(keras: Any, check: Any, tmp_path: Path) -> None:
    model, probe = small(keras)
    (tmp_path / "swapper.py").write_text(SWAPS)
    version = reloadgate.save(
        model, tmp_path / "m/1", probe=probe, steps=0, location="any", imports=("swapper",), code_path=(str(tmp_path),)
    )
    verdict = check(version, INFERRING)
    assert (version / "model.keras").read_bytes() == b"what somebody puts there"
    assert verdict.exit_code == 0, messages(verdict)
    assert verdict.models[0].files["model.keras"]["model.keras"] != sha256_file(version / "model.keras")[0]


BREAKS = """
from reloadgate.live import fresh

def broken(*arguments, **named):
    raise ZeroDivisionError("nobody's model")

fresh.{what} = broken
"""


@pytest.mark.parametrize("what", ["observe", "outside", "Again"])
def test_what_breaks_in_looking_at_a_model_that_loads_is_no_fault_of_the_model_and_no_pass(
    keras: Any, check: Any, tmp_path: Path, what: str
) -> None:
    model, probe = small(keras)
    (tmp_path / "breaker.py").write_text(BREAKS.format(what=what))
    version = reloadgate.save(
        model, tmp_path / "m/1", probe=probe, location="any", imports=("breaker",), code_path=(str(tmp_path),)
    )
    verdict = check(version)
    assert verdict.status is Status.UNVERIFIED, messages(verdict)
    (finding,) = (f for f in verdict.of(Status.UNVERIFIED) if f.row.group == "load")
    assert "looking at it broke: ZeroDivisionError: nobody's model (breaker.py, line 5)" in finding.message
    assert "no fault of the model" in finding.remedy


def test_what_an_artifact_may_be_is_what_the_caller_says(
    keras: Any, engine: LocalEngine, anywhere: Policy, tmp_path: Path
) -> None:
    model, probe = small(keras)
    version = reloadgate.save(model, tmp_path / "m/1", probe=probe, location="any")
    for layers, status in ((1, Status.FAIL), (1000, Status.PASS)):
        limits = InspectionLimits(layers=layers)
        _, verdict = verify_all([Subject(name="m", path=str(version))], anywhere, engine, inspecting=limits)
        assert verdict.status is status, messages(verdict)
        assert ("inspect" in {f.row.group for f in verdict.of(Status.FAIL)}) is (layers == 1)


ENDS_NOTHING = "may end no process"
AT_THE_LINE = "at the line that is named"


@pytest.mark.parametrize(
    ("code", "said", "remedy", "files"),
    [
        ("import sys\nsys.exit(3)", "it ended the process: SystemExit: 3 (ends.py, line 2)", ENDS_NOTHING, Status.PASS),
        ("raise KeyboardInterrupt", "it ended the process: KeyboardInterrupt: (ends.py, line 1)", ENDS_NOTHING, Status.PASS),
        ("import os\nos._exit(0)", "the reloading process broke: it ended with 0", ENDS_NOTHING, Status.UNVERIFIED),
        ("def no():\n    raise ValueError('boom')\nno()", "ValueError: boom (ends.py, line 2)", AT_THE_LINE, Status.PASS),
        ("raise NameError('Unknown layer')", "NameError: Unknown layer (ends.py, line 1)", "register it with", Status.PASS),
    ],
)
def test_what_the_users_modules_do_while_they_are_imported_is_told_of_them_and_not_of_the_files(
    keras: Any, check: Any, tmp_path: Path, code: str, said: str, remedy: str, files: Status
) -> None:
    model, probe = small(keras)
    (tmp_path / "ends.py").write_text(code)
    verdict = check(
        reloadgate.save(model, tmp_path / "m/1", probe=probe, location="any", imports=("ends",), code_path=(str(tmp_path),))
    )
    (finding,) = verdict.of(Status.FAIL)
    assert finding.row.group is Group.LOAD
    assert said in finding.message
    assert remedy in finding.remedy
    (of_files,) = (f for model in verdict.models for f in model.findings if f.row.group is Group.INTEGRITY)
    assert of_files.status is files, of_files


def test_a_child_that_crashes_is_a_row_and_the_others_go_on(keras: Any, engine: LocalEngine, tmp_path: Path) -> None:
    subjects = [Subject(name=name, path=str(own_version(keras, tmp_path, name))) for name in ("crashes", "load", "wrong")]
    _, verdict = verify_all(subjects, INFERRING, engine)
    statuses = {model.model: model.status for model in verdict.models}
    assert statuses == {"crashes": Status.FAIL, "load": Status.PASS, "wrong": Status.FAIL}
    assert "killed by signal 11" in messages(verdict)
    assert "returned dict, not a keras.Model" in messages(verdict)


@pytest.mark.parametrize(
    ("loader", "limits", "reason"),
    [
        ("hangs", {"wall_seconds": 0.5}, "stopped after 0.5 s"),
        ("spins", {"cpu_seconds": 1}, "stopped after 1 s of processor time"),
        ("grows", {"memory_mib": 1200}, "stopped when it took more than 1200 MiB of memory"),
    ],
)
def test_a_child_that_takes_too_much_is_stopped(
    keras: Any, engine: LocalEngine, tmp_path: Path, loader: str, limits: dict[str, Any], reason: str
) -> None:
    version = own_version(keras, tmp_path, loader)
    (end,) = engine.run([one_job(version, tmp_path / "out", Limits(**limits))])
    assert end.exit_code != 0
    assert reason in end.reason


def test_memory_that_is_freed_goes_back_to_the_system(keras: Any, engine: LocalEngine, tmp_path: Path) -> None:
    version = own_version(keras, tmp_path, "frees")
    (end,) = engine.run([one_job(version, tmp_path / "out")])
    assert end.exit_code == 0
    seen = seen_by(tmp_path / "out")
    assert seen["held"] > 20 * 2**23 * 0.9
    assert seen["left"] < seen["held"] / 4


def test_what_a_child_started_is_stopped_with_it(keras: Any, engine: LocalEngine, tmp_path: Path) -> None:
    version = own_version(keras, tmp_path, "starts")
    (end,) = engine.run([one_job(version, tmp_path / "out", Limits(memory_mib=1200))])
    assert end.stopped
    started = int((version.parent / "started").read_text())
    assert not psutil.pid_exists(started) or psutil.Process(started).status() == psutil.STATUS_ZOMBIE


def arrays_in(out: Path) -> dict[str, bytes]:
    with np.load(out / "arrays.npz") as arrays:
        # A generator without a seed starts anew in every process: that is what `random state` is about.
        return {key: arrays[key].tobytes() for key in arrays if not (key.startswith("before/") and "seed_gen" in key)}


def test_the_bits_depend_neither_on_how_many_run_at_once_nor_on_the_fork(keras: Any, engine: LocalEngine, tmp_path: Path) -> None:
    model, probe = small(keras)
    version = reloadgate.save(model, tmp_path / "m/1", probe=probe, location="any")
    assert [end.exit_code for end in engine.run([one_job(version, tmp_path / f"out{n}") for n in range(3)])] == [0, 0, 0]
    with LocalEngine(fork=False) as fresh_interpreters:
        (end,) = fresh_interpreters.run([one_job(version, tmp_path / "out3")])
    assert end.exit_code == 0
    seen = [arrays_in(tmp_path / f"out{number}") for number in range(4)]
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert len(seen[0]) > 20
    assert read_sealed(ReloadedEvidence, tmp_path / "out0").whole


def test_a_server_that_ends_is_an_error_that_says_so(tmp_path: Path) -> None:
    with LocalEngine() as engine, pytest.raises(EngineError, match="server ended"):
        assert engine._server is not None
        engine._server.kill()
        list(engine.run([Job(version="/v", artifact=ARTIFACT, out=str(tmp_path / "out"))]))


def test_an_interpreter_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be started"), LocalEngine(python=str(tmp_path / "python")):
        pass


def _heeds_ctrl_c() -> None:
    """What runs in the background of a shell is told to ignore it, and so is all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_the_children_leaves_error_and_ends_with_130(keras: Any, tmp_path: Path) -> None:
    version = own_version(keras, tmp_path, "announces")
    os.mkfifo(version.parent / "pipe")
    command = [sys.executable, "-m", "reloadgate", "verify", str(version), "--reports", "reports"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_heeds_ctrl_c
    ) as running:
        child = int((version.parent / "pipe").read_text())  # waits until the loader runs
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert running.returncode == 130
    assert out == ""
    assert err.splitlines()[:2] == ["waiting: 1 artifacts to reload", f"running: {version.as_posix()} ."]
    assert "interrupted; the reports say ERROR" in err
    assert read_json(tmp_path / "reports/verdict.json")["status"] == "ERROR"
    assert not psutil.pid_exists(child)


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


def test_a_module_is_found_beside_the_params_yaml_of_a_project_within_a_repository(
    keras: Any, check: Any, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "shared").mkdir()
    project = tmp_path / "teams/churn"
    (project / "src").mkdir(parents=True)
    (project / "params.yaml").write_text("models: {}\n")
    (project / "beside.py").touch()
    (project / "src/below.py").touch()
    model, probe = small(keras)
    version = reloadgate.save(model, project / "models/m/1", probe=probe, steps=0, location="any", imports=("beside", "below"))
    assert read_saved(version / EVIDENCE_DIR)[0].recipe.code_path == ("teams/churn", "teams/churn/src", ".")
    assert not check(version).of(Status.FAIL, Status.ERROR)
    (project / "src/below.py").rename(tmp_path / "shared/below.py")
    (finding,) = check(version).of(Status.FAIL, Status.ERROR)
    assert "No module named 'below': looked for in teams/churn, teams/churn/src, . (`code_path`)" in finding.message
    assert "`code_path`" in finding.remedy


def test_verify_without_an_engine_starts_its_own(keras: Any, anywhere: Policy, tmp_path: Path) -> None:
    model, probe = small(keras)
    assert verify(reloadgate.save(model, tmp_path / "m/1", probe=probe, location="any"), policy=anywhere).exit_code == 0
