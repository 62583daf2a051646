"""Weights are saved with NumPy, as a list in the order in which the layers happen to be."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "2.2"
TODAY = "names are lost, and the optimizer is; in another order of layers of equal shape the values change places"
SILENT = True
ROW = "weights"
REMEDY = "save the whole model as `.keras`"


def hazard(version: Path) -> None:
    model = trained(_network("first", "second"))
    version.mkdir(parents=True)
    np.savez(version / "weights.npz", *model.get_weights())
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load")


def healthy(version: Path) -> None:
    reloadgate.save(trained(_network("first", "second")), version, probe=PROBE)


def load(version: Path) -> Any:
    """Whoever wrote the network again put the layers in another order."""
    model = _network("second", "first")
    with np.load(version / "weights.npz") as weights:
        model.set_weights([weights[name] for name in weights.files])
    return model


def today(version: Path) -> None:
    with np.load(version / "weights.npz") as weights:
        assert np.array_equal(load(version).get_layer("second").get_weights()[0], weights["arr_0"]), "it was the first's"


def _network(*order: str) -> Any:
    return compiled(*(keras.layers.Dense(4, name=name) for name in order), keras.layers.Dense(1, name="out"))
