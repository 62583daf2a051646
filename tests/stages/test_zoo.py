"""The sample models: trained twice they are the same bits.

Every one is trained for an epoch on rows of its own table; that the gate passes them is held where the pipeline runs whole.
"""

import ast
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from conftest import ROOT
from reloadgate.probe import Probe, map_leaves
from stages import zoo
from stages.datasets import DATASETS, split
from stages.settings import Settings as Prepare

pytestmark = [pytest.mark.keras, pytest.mark.pipeline]

ROWS = 96


@pytest.fixture(scope="module")
def frames() -> dict[str, Any]:
    """The tables, read once, as the contracts say (and without asking Great Expectations again)."""
    import pandas as pd

    return {
        contract.table: pd.read_csv(ROOT / "data/raw" / f"{contract.table}.csv", keep_default_na=False)
        for contract in {dataset.contract for dataset in DATASETS}
    }


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_model_depends_on_its_own_module_alone(name: str) -> None:
    """As `dvc.yaml` says: what changes in another's module makes it no stale."""
    written = ast.parse((ROOT / f"stages/zoo/{name}.py").read_text())
    imported = {node.module for node in ast.walk(written) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(written) if isinstance(node, ast.Import) for alias in node.names}
    assert {module for module in imported if module and module.startswith("stages")} == {"stages.zoo"}
    code = f"import sys, stages.builders\nprint([name for name in sys.modules if name.startswith({f'{zoo.__name__}.'!r})])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def trained(keras: Any, name: str, train: Probe) -> Any:
    import tensorflow as tf

    settings = zoo.Settings(version="1.0.0", seed=3, epochs=1, batch_size=32, learning_rate=0.005)
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    x, y = (map_leaves(lambda leaf: leaf[:ROWS], tree) for tree in (map_leaves(tf.constant, train.x), train.y))
    model = zoo.build(name, settings, x, y)
    model.fit(x, y, batch_size=settings.batch_size, verbose=0)
    return model


@pytest.mark.parametrize("name", ["wine", "parity", "languages", "weather"])
def test_training_twice_gives_the_same_bits(name: str, keras: Any, frames: dict[str, Any]) -> None:
    import tensorflow as tf
    from tensorflow.python.framework import config as tf_config

    (dataset,) = [dataset for dataset in DATASETS if dataset.name == name]
    samples = split(dataset, frames[dataset.contract.table], Prepare(seed=7, test_share=0.2, probe_rows=32))
    tf.config.experimental.enable_op_determinism()
    try:
        first, second = (trained(keras, name, samples["train"]) for _ in range(2))
    finally:
        tf_config.disable_op_determinism()
    states = [[np.asarray(v.value).tobytes() for v in (*m.variables, *m.optimizer.variables)] for m in (first, second)]
    assert states[0] == states[1]
