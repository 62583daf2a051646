"""Evidence is used again only where everything that it came from is the same: each thing changed alone, and it is not."""

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from builders import ARTIFACT, CONFIG, ENVIRONMENT, Built, build
from reloadgate import reuse
from reloadgate.engine import Job, LocalEngine
from reloadgate.engine.footprint import FOOTPRINT, Footprint
from reloadgate.evidence import Check, Group, Recipe, Tried, write_evidence
from reloadgate.files import sha256_file
from reloadgate.nouns import read_json, to_dict, write_json
from reloadgate.project import Subject
from reloadgate.reload import reload
from reloadgate.reuse import Store

VARIABLES = {"PATH": "/usr/bin"}


@pytest.fixture(autouse=True)
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few installed files in place of the real ones, which take a third of a second to look at."""
    folder = tmp_path / "site-packages/keras"
    folder.mkdir(parents=True)
    monkeypatch.setattr(reuse, "sysconfig", SimpleNamespace(get_path=lambda name: str(tmp_path / "site-packages")))
    return folder


def store(tmp_path: Path, **variables: str) -> Store:
    return Store(tmp_path / "kept", VARIABLES | variables)


def reloaded(tmp_path: Path, recipe: Recipe | None = None, unknown: tuple[str, ...] = (), **fields: Any) -> tuple[Built, Job]:
    """A version that was reloaded, whose code is `zoo.py`; and the job that did it."""
    built = build(tmp_path, **fields)
    (tmp_path / "zoo.py").write_text("layers = 3\n")
    if recipe:
        seal = write_evidence(built.sealed, replace(built.saved, recipe=recipe))
        write_evidence(built.folder, replace(built.reloaded, saved_sha256=seal))
    code = tmp_path / "zoo.py"
    footprint = Footprint(files={str(code): sha256_file(code)[0]}, unknown=unknown)
    write_json(built.folder / FOOTPRINT, to_dict(footprint))
    return built, Job(version=str(built.subject.directory.absolute()), artifact=ARTIFACT, out=str(built.folder.absolute()))


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Built, Job]:
    built, job = reloaded(tmp_path)
    store(tmp_path).keep(job)
    return built, job


def test_what_is_the_same_is_used_again_byte_for_byte(kept: tuple[Built, Job], tmp_path: Path) -> None:
    built, job = kept
    before = {name: (built.folder / name).read_bytes() for name in reuse.FILES}
    shutil.rmtree(built.folder)
    assert store(tmp_path).find(job)
    assert {path.name: path.read_bytes() for path in built.folder.iterdir()} == before


def append(*parts: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (path,) = root.glob("/".join(parts))
        path.write_bytes(path.read_bytes() + b" ")

    return change


def altered(path: Path) -> None:
    path.write_text(path.read_text().replace('"steps": 3', '"steps": 2'))


VERSION = "models/digits/1.0.0"


@pytest.mark.parametrize(
    "change",
    [
        append(VERSION, "model.keras"),
        append(VERSION, "evidence/arrays.npz"),
        append(VERSION, "evidence/probe.npz"),
        append(VERSION, "evidence/evidence.json"),
        lambda root: (root / VERSION / "stray.txt").touch(),
        lambda root: (root / VERSION).chmod(0o777),
        append("zoo.py"),
        lambda root: (root / "zoo.py").unlink(),
        lambda root: (root / "keras.py").touch(),
        lambda root: altered(next(root.glob("kept/*/evidence.json"))),
        append("kept/*/arrays.npz"),
        lambda root: next(root.glob("kept/*/basis.json")).write_text("{}"),
    ],
    ids=[
        "artifact", "recorded arrays", "probe", "saved evidence", "another file", "who may write", "code", "code that is gone",
        "a module of the name of another", "kept evidence", "kept arrays", "what it came from",
    ],
)  # fmt: skip
def test_what_changed_on_disk_is_reloaded(kept: tuple[Built, Job], tmp_path: Path, change: Callable[[Path], None]) -> None:
    change(tmp_path)
    assert not store(tmp_path).find(kept[1])


def test_what_changed_in_the_machine_is_reloaded(kept: tuple[Built, Job], tmp_path: Path, site_packages: Path) -> None:
    assert store(tmp_path).find(kept[1])
    assert not store(tmp_path, TF_ENABLE_ONEDNN_OPTS="0").find(kept[1])
    (site_packages / "patched.py").touch()
    assert not store(tmp_path).find(kept[1])


def test_another_place_or_artifact_is_another(kept: tuple[Built, Job], tmp_path: Path) -> None:
    other = Path(shutil.copytree(kept[0].subject.directory, tmp_path / "models/digits/2.0.0"))
    assert not store(tmp_path).find(replace(kept[1], version=str(other)))
    assert not store(tmp_path).find(replace(kept[1], artifact=replace(ARTIFACT, path="other.keras")))


BROKEN = Check(group=Group.RELOCATION, subject="model", tried=Tried.BROKEN, message="differs")


@pytest.mark.parametrize(
    "seen",
    [
        {"unknown": ("socket.connect",)},
        {"recipe": Recipe(loader="zoo:load", builder=None, imports=(), code_path=(".",))},
        {"loaded": False, "error": "out of memory"},
        {"checks": (BROKEN,)},
        {"environment": replace(ENVIRONMENT, devices=("/device:CPU:0", "/device:GPU:0"))},
        {"environment": None},
        {"stored_config": CONFIG | {"vocabulary": "/usr/words.txt"}},
        {"stored_config": {"layers": [{"vocabulary": "gs://bucket/words.txt"}]}},
        {"files": ()},
    ],
    ids=[
        "what it read cannot be told", "the user's loader", "it did not load", "something broke", "a GPU", "no environment",
        "a file that it names", "an address that it names", "other bytes",
    ],
)  # fmt: skip
def test_what_cannot_be_known_to_be_the_same_is_not_kept(tmp_path: Path, seen: dict[str, Any]) -> None:
    job = reloaded(tmp_path, **seen)[1]
    store(tmp_path).keep(job)
    assert not store(tmp_path).find(job)


def test_what_was_kept_is_forgotten_when_the_next_reload_breaks(kept: tuple[Built, Job], tmp_path: Path) -> None:
    built, job = kept
    write_evidence(built.folder, replace(built.reloaded, loaded=False, error="killed"))
    store(tmp_path).keep(job)
    assert not store(tmp_path).find(job)


LAYERS = """
import json
from pathlib import Path
from types import SimpleNamespace
import h5py
import keras
import helper

SCALE = json.loads((Path(__file__).parent / "scale.json").read_text())
with h5py.File(Path(__file__).parent / "shift.h5") as file:
    SHIFT = float(file["shift"][()])

@keras.saving.register_keras_serializable(package="reuse")
class Scale(keras.layers.Layer):
    def call(self, x):
        return x * SCALE * helper.ONE + SHIFT
"""


@pytest.mark.keras
def test_a_second_reload_starts_nothing_until_code_or_what_the_code_reads_changes(
    keras: Any, engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import h5py
    import numpy as np

    import reloadgate

    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()  # the folder is temporary, but so is the whole project
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in (("mylayers.py", LAYERS), ("helper.py", "ONE = 1.0\n"), ("scale.json", "2.0"), ("README", "hello")):
        Path(name).write_text(text)
    with h5py.File("shift.h5", "w") as file:
        file["shift"] = 0.0
    import mylayers  # type: ignore[import-not-found]

    model = keras.Sequential([keras.Input((2,)), mylayers.Scale(), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((3, 2), np.float32), np.ones((3, 1), np.float32)
    version = reloadgate.save(model, "m/1", probe=(x, y), location="any", imports=("mylayers",), code_path=(".",))
    started: list[str] = []

    def again() -> int:
        """How many processes one more reload starts."""

        class Counting:
            def run(self, jobs: Any, told: Any) -> Any:
                listed = list(jobs)
                started.extend(job.out for job in listed)
                return engine.run(listed, told)

        started.clear()
        shutil.rmtree("out", ignore_errors=True)
        subjects = [Subject(name="m", path=str(version))]
        kept = Store(tmp_path / "kept")
        list(reload(subjects, Path("out"), lambda seeds: contextlib.nullcontext(Counting()), store=kept))
        assert read_json(Path("out/m/model.keras/evidence.json"))["record"]["error"] == ""
        return len(started)

    assert [again(), again()] == [1, 0]
    Path("README").write_text("another")
    assert again() == 0
    for name, text in (("mylayers.py", LAYERS + "\n"), ("helper.py", "ONE = 1.00\n"), ("scale.json", json.dumps(2.5))):
        Path(name).write_text(text)
        assert [again(), again()] == [1, 0], name
    with h5py.File("shift.h5", "a") as file:  # which HDF5 opens, and not Python
        file["shift"][()] = 1.0
    assert [again(), again()] == [1, 0]
    Path("helper.py").write_text("import os\nONE = 1.0 + 0 * len(os.listdir(os.path.dirname(__file__)))\n")
    assert [again(), again()] == [1, 1]
