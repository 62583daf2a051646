"""`load_weights` goes by the order in which layers are, and someone made two of them in the other order."""

from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, X, Y, trained

FROM = "3.2, 3.3, 3.5"
TODAY = "two layers of equal shape get each other's weights; their names say otherwise, and nobody reads them"
SILENT = True
ROW = "weights"
REMEDY = "save the whole model as `.keras`, or keep the order"


class Towers(keras.Model):
    """Two layers side by side, in a list; called by their names."""

    def __init__(self, *order: str) -> None:
        super().__init__()
        self.towers = [keras.layers.Dense(3, name=name) for name in order]
        self.out = keras.layers.Dense(1, name="out")
        self.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)

    def build(self, input_shape: tuple[int, ...]) -> None:
        for tower in self.towers:
            tower.build(input_shape)
        self.out.build((None, 6))

    def call(self, inputs: Any) -> Any:
        seen = {tower.name: tower(inputs) for tower in self.towers}
        return self.out(keras.ops.concatenate([seen["left"], seen["right"]], axis=-1))


def hazard(version: Path) -> None:
    _record(version, "load")


def healthy(version: Path) -> None:
    _record(version, "load_in_order")


def load(version: Path) -> Any:
    return _load(version, "right", "left")


def load_in_order(version: Path) -> Any:
    return _load(version, "left", "right")


def today(version: Path) -> None:
    right, wrong = load_in_order(version), load(version)
    assert abs(right.evaluate(X, Y, verbose=0) - wrong.evaluate(X, Y, verbose=0)) > 1e-3


def _load(version: Path, *order: str) -> Any:
    model = Towers(*order)
    model.build((None, 4))
    model.optimizer.build(model.trainable_variables)
    model.load_weights(version / "model.weights.h5")
    return model


def _record(version: Path, loader: str) -> None:
    model = trained(Towers("left", "right"))
    version.mkdir(parents=True)
    model.save_weights(version / "model.weights.h5")
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
