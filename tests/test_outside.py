"""What a reload reads and the version does not hold: named, and no pass."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import reloadgate
from reloadgate.policy import policy_from
from reloadgate.verdict import Status, Verdict

pytestmark = pytest.mark.keras

HERE = Path(__file__).parent
Check = Callable[..., Verdict]
CODE = """
    import contextlib
    import importlib.metadata
    import sqlite3
    from pathlib import Path

    import tempfile

    import h5py
    import keras
    import models
    import numpy as np
    import tensorflow as tf

    HERE = Path(__file__).parent
    IMPORTED = (HERE / "data/imported.txt").read_text()
    COMPUTED = tf.zeros(())  # which starts TensorFlow: modules may

    def contained(version):
        (HERE / "beside.txt").read_text()
        Path("/proc/cpuinfo").read_text()
        importlib.metadata.version("numpy")
        return keras.models.load_model(version / "model.keras")

    def reaching(version):
        (HERE / "data/python.txt").read_text()
        with tempfile.TemporaryDirectory() as folder:
            tf.io.gfile.copy(str(HERE / "data/copied.txt"), folder + "/copied.txt")
        with contextlib.closing(sqlite3.connect(HERE / "data/rows.db")) as database:
            database.execute("select 1")
        tf.io.gfile.GFile(str(HERE / "data/tensorflow.txt")).read()
        tf.train.load_checkpoint(str(HERE / "data/checkpoint")).get_variable_to_shape_map()
        with h5py.File(HERE / "data/hdf5.h5") as file:
            file["numbers"]
        return keras.models.load_model(version / "model.keras")

    def latest(version):
        return keras.models.load_model(max(version.glob("*.keras"), key=lambda file: file.stat().st_mtime_ns))

    def strayed(version):
        return keras.models.load_model(HERE / "strayed/1/model.keras")

    def numbered(version):
        name = keras.layers.Embedding(1, 1).name
        assert name == "embedding", f"nothing was saved as {name}"
        return keras.models.load_model(version / "model.keras")

    def unheard(version):
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / "model.keras"
            copied.write_bytes(tf.io.read_file(str(version / "model.keras")).numpy())
            return keras.models.load_model(copied)

    def retrained(version):
        keras.utils.set_random_seed(1)
        model = models.plain()
        model.fit(*models.data("plain"), verbose=0)
        return model

    @keras.saving.register_keras_serializable("outside")
    class Scaled(keras.layers.Layer):
        def __init__(self, path, **options):
            super().__init__(**options)
            self.source, self.factor = path, float(tf.io.read_file(path))

        def call(self, x):
            return self.factor * x

        def get_config(self):
            return {**super().get_config(), "path": self.source}
"""


INFERRING = policy_from({"location": "any", "requires": {"version": "infer", "own": "infer"}})
"""What is read, is read before any step: none is recorded."""


@pytest.fixture
def check(check: Check) -> Check:
    return lambda version: check(version, INFERRING)


LOADERS = ("contained", "numbered", "reaching", "strayed", "unheard")
READ = ("checkpoint.index", "copied.txt", "hdf5.h5", "python.txt", "rows.db", "tensorflow.txt")


@pytest.fixture(scope="module")
def folder(keras: Any, models: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version `<loader>/1` for every loader, beside which `data` lies."""
    import h5py
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("outside")
    (folder / "loaders.py").write_text(dedent(CODE))
    (folder / "beside.txt").write_text("the code's own")
    (folder / "data").mkdir()
    (folder / "data/factor.txt").write_text("2.0")
    for name in ("python.txt", "tensorflow.txt", "imported.txt", "copied.txt", "rows.db"):
        (folder / "data" / name).write_text("" if name == "rows.db" else "of nobody")
    with h5py.File(folder / "data/hdf5.h5", "w") as file:
        file["numbers"] = [1.0]
    tf.train.Checkpoint(number=tf.Variable(1.0)).write(str(folder / "data/checkpoint"))
    model, batch = models.plain(), models.data("plain")
    model.fit(*batch, verbose=0)
    for loader in LOADERS:
        (folder / loader / "1").mkdir(parents=True)
        model.save(folder / loader / "1/model.keras")
        code = (str(folder), str(HERE))
        reloadgate.record(model, folder / loader / "1", probe=batch, loader=f"loaders:{loader}", code_path=code, steps=0)
    return folder


def test_what_lies_beside_its_code_or_is_read_while_that_is_imported_is_the_loaders_own(folder: Path, check: Check) -> None:
    """And what is the system's."""
    verdict = check(folder / "contained/1")
    assert verdict.status is Status.PASS, [f.message for f in verdict.of(Status.UNVERIFIED)]


def test_a_loader_that_finds_by_the_names_that_keras_numbers_passes(folder: Path, check: Check) -> None:
    """They are numbered on within a process, and it is loaded more than once there."""
    verdict = check(folder / "numbered/1")
    assert verdict.status is Status.PASS, [f.message for f in verdict.of(Status.FAIL)]


def test_files_that_the_version_does_not_hold_are_named_whoever_opens_them(folder: Path, check: Check) -> None:
    verdict = check(folder / "reaching/1")
    assert verdict.status is Status.UNVERIFIED
    found = [(f.row.group, f.row.subject) for f in verdict.of(Status.UNVERIFIED)]
    assert found == [("relocation", str(folder / "data" / name)) for name in READ]
    assert all("copy the file into the version" in f.remedy for f in verdict.of(Status.UNVERIFIED))


def test_a_file_that_the_configuration_names_is_named_though_nobody_hears_it_read(
    keras: Any, models: Any, folder: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)
    from loaders import Scaled

    path, batch = str(folder / "data/factor.txt"), models.data("plain")
    model = keras.Sequential([keras.Input((4,)), Scaled(path), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(*batch, verbose=0)
    code = (str(folder), str(HERE))
    reloadgate.save(model, folder / "named/1", probe=batch, imports=("loaders",), code_path=code, location="any", steps=0)
    found = [(f.row.group, f.row.subject) for f in check(folder / "named/1").of(Status.UNVERIFIED)]
    assert found == [("relocation", path)]


def test_a_loader_that_reads_elsewhere_than_it_is_told_fails(folder: Path, check: Check) -> None:
    verdict = check(folder / "strayed/1")
    (found,) = verdict.of(Status.FAIL)
    assert (found.row.group, found.row.subject) == ("relocation", str(folder / "strayed/1/model.keras"))
    assert "build every path from the directory" in found.remedy


def test_what_nobody_hears_read_is_the_versions_all_the_same_where_the_loader_does_not_do_without(
    folder: Path, check: Check
) -> None:
    verdict = check(folder / "unheard/1")
    assert verdict.status is Status.PASS, [f.message for f in verdict.of(Status.UNVERIFIED)]


def test_a_loader_that_gives_the_model_without_the_version_fails(
    folder: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trains it once more: not a bit differs."""
    monkeypatch.syspath_prepend(folder)
    from loaders import models, retrained

    version = folder / "retrained/1"
    model = retrained(version)
    version.mkdir(parents=True)
    model.save(version / "model.keras")
    code = (str(folder), str(HERE))
    reloadgate.record(model, version, probe=models.data("plain"), loader="loaders:retrained", code_path=code, steps=0)
    (found,) = check(version).of(Status.FAIL)
    assert (found.row.group, found.row.subject) == ("relocation", "an empty directory")
    assert "fail where nothing is" in found.remedy


@pytest.mark.parametrize("last", ["model", "older"])
def test_a_loader_that_takes_the_file_that_was_changed_last_fails(
    last: str, folder: Path, keras: Any, models: Any, check: Check, tmp_path: Path
) -> None:
    """No checkout keeps that; whichever name comes first."""
    model, batch, version = models.plain(), models.data("plain"), tmp_path / "1"
    version.mkdir()
    model.save(version / ("older.keras" if last == "model" else "model.keras"))
    model.fit(*batch, verbose=0)
    model.save(version / f"{last}.keras")
    reloadgate.record(model, version, probe=batch, loader="loaders:latest", code_path=(str(folder), str(HERE)), steps=0)
    (found,) = check(version).of(Status.FAIL)
    assert (found.row.group, found.row.subject) == ("relocation", "model")
    assert "choose by name or number" in found.remedy
