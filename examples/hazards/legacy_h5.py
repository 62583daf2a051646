"""A model is saved as legacy `.h5` and is to go on training."""

from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, X, Y, compiled, trained

FROM = "1.2"
TODAY = "loads without complaint; the first `fit` then raises (Unknown variable)"
SILENT = True
ROW = "resume"
REMEDY = "save as `.keras`"


def hazard(version: Path) -> None:
    model = trained(_network())
    version.mkdir(parents=True)
    model.save(version / "model.h5")
    reloadgate.record(trained(_network()), version, probe=PROBE, loader=f"{__name__}:load")


def healthy(version: Path) -> None:
    reloadgate.save(trained(_network()), version, probe=PROBE)


def load(version: Path) -> Any:
    return keras.models.load_model(version / "model.h5")


def today(version: Path) -> None:
    try:
        load(version).fit(X, Y, verbose=0)
    except (KeyError, ValueError) as error:
        assert "Unknown variable" in str(error)
    else:
        raise AssertionError("it trains")


def _network() -> Any:
    keras.utils.set_random_seed(4)
    model = compiled()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError(), run_eagerly=True)
    return model
