"""The whole model is loaded, and compiled again."""

from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "1.3"
TODAY = "predictions are the same bits; moments and step are gone, and training goes another way"
SILENT = True
ROW = "optimizer"
REMEDY = "load without `compile=False`, and do not call `compile` again"


def hazard(version: Path) -> None:
    _record(version, "load")


def healthy(version: Path) -> None:
    _record(version, "load_all")


def load(version: Path) -> Any:
    model = keras.models.load_model(version / "model.keras", compile=False)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)
    return model


def load_all(version: Path) -> Any:
    return keras.models.load_model(version / "model.keras")


def today(version: Path) -> None:
    assert int(load(version).optimizer.iterations) == 0
    assert int(load_all(version).optimizer.iterations) == 6


def _record(version: Path, loader: str) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    model.save(version / "model.keras")
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
