"""Weights are saved alone and loaded into a model whose optimizer is not built yet."""

from pathlib import Path
from typing import Any

import numpy as np

import reloadgate
from examples.hazards.common import PROBE, compiled, same_predictions, trained

FROM = "2.1"
TODAY = "a check of one's own that `get_weights` agree passes; the file has the moments, and they are not read"
SILENT = False
ROW = "optimizer"
REMEDY = "save the whole model as `.keras`, or build the optimizer before `load_weights`"


def hazard(version: Path) -> None:
    _record(version, "load")


def healthy(version: Path) -> None:
    _record(version, "load_built")


def load(version: Path) -> Any:
    model = compiled()
    model.load_weights(version / "model.weights.h5")
    return model


def load_built(version: Path) -> Any:
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    model.load_weights(version / "model.weights.h5")
    return model


def today(version: Path) -> None:
    with_state, without = load_built(version), load(version)
    assert all(np.array_equal(a, b) for a, b in zip(with_state.get_weights(), without.get_weights(), strict=True))
    assert same_predictions(with_state, without)
    assert int(without.optimizer.iterations) == 0


def _record(version: Path, loader: str) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    model.save_weights(version / "model.weights.h5")
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
