"""What the tests share: one warm engine, and real trained model versions."""

import fcntl
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reloadgate.compare import compare
from reloadgate.engine import LocalEngine
from reloadgate.evidence import Depth
from reloadgate.judge import judge
from reloadgate.policy import Policy, policy_from
from reloadgate.reload import reload
from reloadgate.verdict import Verdict
from reloadgate.verifying import subject_of, verify

ROOT = Path(__file__).resolve().parents[1]
LONGEST = ("test_formats.py", "test_readme.py", "test_pipeline.py", "test_examples.py")
"""Minutes each, in the order in which they begin; a worker takes a file whole."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, then files that run the pipeline, then those that need TensorFlow: no worker waits at the end."""
    weights: Counter[Path] = Counter()
    for item in items:
        weight = 2 if item.get_closest_marker("pipeline") else 1 if item.get_closest_marker("keras") else 0
        weights[item.path] = max(weights[item.path], weight)
    places = {name: place - len(LONGEST) for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (places.get(item.path.name, 0), -weights[item.path]))


def pytest_collection_finish() -> None:
    """To collect the tests takes no TensorFlow: a module that imports it takes those of `make check` six seconds each run."""
    if "tensorflow" in sys.modules:
        raise pytest.UsageError("a test module imports TensorFlow: let a fixture or a test import it (`keras`, `models`)")


@pytest.fixture(scope="session")
def engine() -> Iterator[LocalEngine]:
    """One server with TensorFlow preloaded, for every reload of the session."""
    with LocalEngine() as running:
        yield running


@pytest.fixture(scope="session")
def anywhere() -> Policy:
    """The default policy, but for pytest's folders, which are temporary."""
    return policy_from({"location": "any"})


@pytest.fixture
def check(engine: LocalEngine, anywhere: Policy) -> Callable[..., Verdict]:
    """`verify` in the warm engine."""
    return lambda version, policy=anywhere: verify(version, policy=policy, engine=engine)


@pytest.fixture
def look(engine: LocalEngine, anywhere: Policy, tmp_path: Path) -> Callable[..., Verdict]:
    """`check` of no more than what loads and what it holds, in a third of the time: for what must fail by that alone.

    Of predictions and resumed steps the verdict says that nobody looked at them.
    """

    def look_at(version: Path, policy: Policy = anywhere) -> Verdict:
        subjects, evidence = [subject_of(version)], tmp_path / "looked at"
        for _ in reload(subjects, evidence, lambda seeds: nullcontext(engine), depth=Depth.STATE):
            pass
        return judge(compare(subjects, evidence), policy)

    return look_at


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras, imported once, without TensorFlow's lines on standard error; threads as the sample models have them."""
    from stages.quiet import quiet_stderr

    with quiet_stderr():
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(2)
        tf.config.threading.set_inter_op_parallelism_threads(2)
        tf.config.list_logical_devices()
    return keras


@pytest.fixture(scope="session")
def models(keras: Any) -> Any:
    """The small models, imported with Keras, and so by no test that does without it."""
    import models

    return models


@pytest.fixture(scope="session")
def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The raw tables as arrays, as `prepare` makes them but for the splits."""
    made = {}
    for name, scale, kind in (("digits", 16.0, np.int64), ("diabetes", 1.0, np.float32)):
        table = np.loadtxt(ROOT / "data/raw" / f"{name}.csv", delimiter=",", skiprows=1, dtype=np.float32)
        y = table[:, -1].astype(kind)
        made[name] = (table[:, :-1] / scale, y if name == "digits" else y[:, None])
    return made


@pytest.fixture(scope="session")
def trained(keras: Any, tables: Any, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Path]:
    """A version of each sample model, trained for two epochs on the real tables. Never change them: copy.

    The first worker of pytest-xdist that asks makes them, for all.
    """
    alone = worker_id == "master"
    folder = tmp_path_factory.mktemp("trained") if alone else tmp_path_factory.getbasetemp().parent / "trained"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        versions = {name: folder / "models" / name / "1.0.0" for name in tables}
        if not all(version.exists() for version in versions.values()):
            _train(versions, keras, tables, folder / "records")
    return versions


def _train(versions: dict[str, Path], keras: Any, tables: Any, records: Path) -> None:
    import reloadgate
    from stages import zoo

    for name, (x, y) in tables.items():
        settings = zoo.Settings(version="1.0.0", seed=1, epochs=8, batch_size=32, learning_rate=0.002)
        keras.utils.set_random_seed(settings.seed)
        model = zoo.build(name, settings, x, y)
        model.fit(x, y, batch_size=settings.batch_size, epochs=2, verbose=0)
        reloadgate.save(
            model, versions[name], probe=(x[:48], y[:48]), imports=(zoo.module_of(name),), location="any",
            code_path=(str(ROOT),), records=records,
        )  # fmt: skip


@pytest.fixture
def copy_of(trained: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a trained version that a test may damage."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(trained[name], tmp_path / "models" / name / "1.0.0"))

    return copy
