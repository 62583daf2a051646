"""`save_freq` was meant in epochs, and counts batches: the file is an earlier run's."""

from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, X, Y, compiled, trained

FROM = "4.3"
TODAY = "a run of fewer batches than `save_freq` writes nothing, and what lay there before looks like its result"
SILENT = True
ROW = "weights"
REMEDY = '`save_freq="epoch"`; a directory for every version'


def hazard(version: Path) -> None:
    _record(version, 5 * 1000)


def healthy(version: Path) -> None:
    _record(version, "epoch")


def load(version: Path) -> Any:
    return keras.models.load_model(version / "model.keras")


def today(version: Path) -> None:
    assert int(load(version).optimizer.iterations) == 3, "of the run before"


def _record(version: Path, save_freq: int | str) -> None:
    version.mkdir(parents=True)
    trained(compiled(), epochs=1).save(version / "model.keras")  # the run before
    model = compiled()
    saving = keras.callbacks.ModelCheckpoint(version / "model.keras", save_freq=save_freq)
    model.fit(X, Y, batch_size=16, epochs=5, verbose=0, callbacks=[saving])
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load")
