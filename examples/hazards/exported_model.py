"""A model is exported as a SavedModel, and is to go on training."""

from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "1.5"
TODAY = "`load_model` refuses the directory; `TFSMLayer` predicts as one opaque layer, without layers and optimizer"
SILENT = False
ROW = "weights"
REMEDY = "export for serving, and keep a `.keras` beside it to go on from"


def hazard(version: Path) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    model.export(version / "saved_model", verbose=False)
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load")


def healthy(version: Path) -> None:
    reloadgate.save(trained(compiled()), version, probe=PROBE)


def load(version: Path) -> Any:
    return compiled(keras.layers.TFSMLayer(version / "saved_model", call_endpoint="serve"))


def today(version: Path) -> None:
    assert len(load(version).layers) == 1
    try:
        keras.models.load_model(version / "saved_model")
    except ValueError as error:
        assert "File format not supported" in str(error)
    else:
        raise AssertionError("it loads")
