"""A real scheduler and real workers, as users start them: the same rows as on this machine, and nothing lost with a worker."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reloadgate
from builders import ARTIFACT, build
from reloadgate.comparison import Comparison
from reloadgate.engine import DaskEngine, End, Job, LocalEngine
from reloadgate.engine.cluster import REACHED, STAFFED
from reloadgate.engine.worker import Origin, Task, version_here
from reloadgate.errors import EngineError, ReloadgateError
from reloadgate.evidence import EVIDENCE_DIR, read_saved
from reloadgate.files import digests
from reloadgate.policy import Policy
from reloadgate.project import Subject, artifacts_of
from reloadgate.revisions import Versions
from reloadgate.verifying import verify_all
from test_engine import small

DASK = [sys.executable, "-m", "dask"]

Start = Callable[..., "subprocess.Popen[str]"]


def end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [*DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    folder = tmp_path_factory.mktemp("scheduler")
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=folder) as process:
        assert process.stderr
        address = next(found[0] for line in process.stderr if (found := re.search(r"tcp://\S+:\d+", line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield address
        end(process)


@pytest.fixture
def worker(scheduler: str, tmp_path: Path) -> Iterator[Start]:
    """Starts workers, as `dask worker ADDRESS` with further options does; they end with the test."""
    with ExitStack() as stack:

        def start(*options: str) -> "subprocess.Popen[str]":
            folder = tmp_path / f"worker-{len(list(tmp_path.glob('worker-*')))}"
            folder.mkdir()
            command = [
                *DASK,
                "worker",
                scheduler,
                "--nthreads",
                "1",
                "--no-dashboard",
                "--local-directory",
                str(folder),
                *options,
            ]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True, cwd=folder)
            stack.callback(end, process)
            return process

        yield start


def rows(comparison: Comparison) -> list[Any]:
    """The rows, but for how long a load took."""
    return [replace(row, seen=re.sub(r"[\d.]+ s$", "", row.seen)) for model in comparison.models for row in model.rows]


@pytest.mark.keras
def test_workers_with_and_without_a_nanny_give_the_rows_of_the_local_engine(
    trained: dict[str, Path], engine: LocalEngine, anywhere: Policy, scheduler: str, worker: Start
) -> None:
    subjects = [Subject(name=name, path=str(path)) for name, path in trained.items()]
    local, verdict = verify_all(subjects, anywhere, engine)
    worker("--nanny"), worker("--no-nanny")
    with DaskEngine(scheduler) as cluster:
        remote, there = verify_all(subjects, anywhere, cluster)
    assert rows(remote) == rows(local)
    assert len(rows(local)) > 100
    assert (there.status, verdict.status) == ("PASS", "PASS")


LOADERS = """
import os, signal
import keras

def load(directory):
    first, pipe = directory.parent / "first", directory.parent / "pipe"
    if pipe.exists() and not first.exists():
        first.touch()
        pipe.write_text(str(os.getpid()))
        signal.pause()
    return keras.models.load_model(directory / "model.keras")
"""


@pytest.mark.keras
def test_a_worker_that_is_killed_in_mid_task_loses_nothing(keras: Any, scheduler: str, worker: Start, tmp_path: Path) -> None:
    model, probe = small(keras)
    version = tmp_path / "m/1"
    version.mkdir(parents=True)
    (tmp_path / "loaders.py").write_text(LOADERS)
    model.save(version / "model.keras")
    reloadgate.record(model, version, probe=probe, loader="loaders:load", code_path=(str(tmp_path),))
    os.mkfifo(version.parent / "pipe")
    artifact = artifacts_of(version, read_saved(version / EVIDENCE_DIR)[0])[0]
    ends: list[End] = []
    started: list[str] = []
    job = Job(version=str(version), artifact=artifact, out=str(tmp_path / "out"))

    def reload() -> None:
        with DaskEngine(scheduler) as cluster:
            ends.extend(cluster.run([job], lambda job: started.append(job.out)))

    first = worker("--no-nanny")
    running = threading.Thread(target=reload)
    running.start()
    (version.parent / "pipe").read_text()  # waits until the loader runs
    worker("--no-nanny")
    first.kill()
    running.join()
    assert [(one.exit_code, one.stopped) for one in ends] == [(0, "")]
    assert (tmp_path / "out/evidence.json").is_file()
    assert started == [job.out] * 2


@pytest.mark.keras
def test_a_model_too_large_for_a_workers_memory_is_a_row_that_says_so(scheduler: str, worker: Start, tmp_path: Path) -> None:
    worker("--no-nanny", "--memory-limit", "2GiB")
    version = build(tmp_path).subject.directory
    with DaskEngine(scheduler) as cluster:
        (one,) = cluster.run([Job(version=str(version), artifact=ARTIFACT, out=str(tmp_path / "out"), size=1 << 30)])
    assert re.search(
        r"takes about 6\d{3} MiB of memory, and the worker tcp://\S+ may use 2048: start .*--memory-limit", one.reason
    )


@pytest.mark.pipeline
def test_a_scheduler_that_does_not_answer_is_an_error_within_ten_seconds() -> None:
    with (
        pytest.raises(EngineError, match=r"no Dask scheduler answers at \S+ .*`dask scheduler`"),
        DaskEngine("tcp://127.0.0.1:1"),
    ):
        pass
    assert REACHED <= 10


def test_a_cluster_without_workers_is_an_error(scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert STAFFED >= 30, "workers may come late"
    monkeypatch.setattr("reloadgate.engine.cluster.STAFFED", 0.01)
    version = build(tmp_path).subject.directory
    with DaskEngine(scheduler) as cluster, pytest.raises(EngineError, match="has no worker: start some with `dask worker tcp://"):
        list(cluster.run([Job(version=str(version), artifact=ARTIFACT, out=str(tmp_path / "out"))]))


# A worker that sees no shared folder


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions, pushed with git and DVC. Never change it: copy."""
    root = tmp_path_factory.mktemp("pushed")
    project, dvc = root / "project", (sys.executable, "-m", "dvc")
    project.mkdir()
    run(root, "git", "init", "-q", "--bare", "origin.git")
    run(project, "git", "init", "-q")
    run(project, *dvc, "init", "-q")
    build(project)
    build(project, "wine")
    (project / "zoo.py").write_text("layers = 3\n")
    run(project, *dvc, "remote", "add", "-d", "store", str(root / "remote"))
    run(project, *dvc, "add", "-q", "models/digits/1.0.0", "models/wine/1.0.0")
    run(project, *dvc, "push", "-q")
    run(project, "git", "add", "-A")
    run(project, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    run(project, "git", "remote", "add", "origin", str(root / "origin.git"))
    run(project, "git", "push", "-q", "origin", "HEAD")
    return project


@pytest.fixture
def task(project: Path, tmp_path: Path) -> Task:
    """What a worker is asked, by a caller whose copy of the project lies in `tmp_path / "here"`."""
    shutil.copytree(project, tmp_path / "here", symlinks=True)
    version = tmp_path / "here/models/digits/1.0.0"
    (made,) = DaskEngine("tcp://127.0.0.1:1")._tasks([Job(version=str(version), artifact=ARTIFACT, out=str(tmp_path / "out"))])
    return made


@pytest.mark.pipeline
def test_a_shared_folder_is_used_where_it_lies(task: Task, tmp_path: Path) -> None:
    assert version_here(task, tmp_path / "worker") == Path(task.job.version)
    assert not (tmp_path / "worker").exists()


@pytest.mark.pipeline
def test_without_one_the_version_comes_from_git_and_the_dvc_remote_once(task: Task, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "here")
    found = version_here(task, tmp_path / "worker")
    assert digests(found) == task.files
    assert (found.parents[2] / "zoo.py").read_text() == "layers = 3\n"
    before = found.stat().st_ctime_ns
    assert (version_here(task, tmp_path / "worker"), found.stat().st_ctime_ns) == (found, before)


@pytest.mark.pipeline
def test_a_version_that_came_in_part_is_fetched_anew(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wine = tmp_path / "here/models/wine/1.0.0"
    assert task.origin is not None
    other = replace(
        task, job=replace(task.job, version=str(wine)), files=digests(wine), origin=replace(task.origin, path="models/wine/1.0.0")
    )
    shutil.rmtree(tmp_path / "here")
    version_here(task, tmp_path / "worker")
    fetch, came = Versions._fetch_file, list[str]()

    def interrupted(self: Versions, name: str, *arguments: Any) -> None:
        if came:
            raise ConnectionError
        came.append(name)
        fetch(self, name, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Versions, "_fetch_file", interrupted)
        with pytest.raises(ReloadgateError, match="cannot be fetched"):
            version_here(other, tmp_path / "worker")
    assert came
    assert digests(version_here(other, tmp_path / "worker")) == other.files


@pytest.mark.pipeline
@pytest.mark.parametrize("damaged", ["models/digits/1.0.0/model.keras", "zoo.py"])
def test_another_version_or_other_code_at_the_same_path_is_not_used(task: Task, tmp_path: Path, damaged: str) -> None:
    (tmp_path / "here" / damaged).write_bytes(b"other")
    found = version_here(task, tmp_path / "worker")
    assert (tmp_path / "worker") in found.parents
    assert digests(found) == task.files


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("lack", "said"),
    [
        ({"origin": None}, "share the folder, or commit and push"),
        ({"files": {"model.keras": "0" * 64}}, "is not what the caller has: commit and push"),
        ({"code": {"zoo.py": "0" * 64}}, "is not what the caller has: commit and push"),
        ({"origin": Origin(url="/nowhere.git", revision="0" * 40, path="models/digits/1.0.0")}, "git clone"),
    ],
    ids=["nothing pushed", "other bytes pushed", "other code pushed", "no such repository"],
)
def test_what_is_not_what_the_caller_has_is_refused(task: Task, tmp_path: Path, lack: dict[str, Any], said: str) -> None:
    shutil.rmtree(tmp_path / "here")
    with pytest.raises(ReloadgateError, match=said):
        version_here(replace(task, **lack), tmp_path / "worker")


@pytest.mark.pipeline
def test_where_the_version_comes_from_is_what_git_knows(task: Task, project: Path) -> None:
    assert task.origin is not None
    assert (task.origin.url, task.origin.path) == (str(project.parent / "origin.git"), "models/digits/1.0.0")
    assert list(task.code) == ["zoo.py"]
