"""The optimizer is made again of its `get_config`."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "1.4"
TODAY = "a configuration has the settings and none of the state"
SILENT = True
ROW = "optimizer"
REMEDY = "keep the optimizer's variables too: `save_own_variables`, `load_own_variables`, or simply `.keras`"


def hazard(version: Path) -> None:
    _record(version, "load")


def healthy(version: Path) -> None:
    _record(version, "load_state")


def load(version: Path) -> Any:
    model = compiled()
    optimizer = keras.optimizers.Adam.from_config(json.loads((version / "optimizer.json").read_text()))
    model.compile(optimizer=optimizer, loss="mse", run_eagerly=True)
    with np.load(version / "weights.npz") as weights:
        model.set_weights([weights[name] for name in weights.files])
    return model


def load_state(version: Path) -> Any:
    model = load(version)
    model.optimizer.build(model.trainable_variables)
    with np.load(version / "optimizer.npz") as state:
        model.optimizer.load_own_variables(dict(state))
    return model


def today(version: Path) -> None:
    model = load(version)
    assert model.optimizer.get_config()["learning_rate"] == compiled().optimizer.get_config()["learning_rate"]
    assert int(model.optimizer.iterations) == 0


def _record(version: Path, loader: str) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    np.savez(version / "weights.npz", *model.get_weights())
    (version / "optimizer.json").write_text(json.dumps(model.optimizer.get_config()))
    state: dict[str, Any] = {}
    model.optimizer.save_own_variables(state)
    np.savez(version / "optimizer.npz", **state)
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
