"""A network is built by going through a set, whose order is another in every process."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, trained

FROM = "3.4"
TODAY = "in the process that trained, and under a fixed PYTHONHASHSEED, it always works"
SILENT = True
ROW = "weights"
REMEDY = "go through a list, or `sorted(...)`"

FEATURES = {"age", "blood", "height", "income", "pulse", "sugar", "waist", "weight"}


class Features(keras.Model):
    """A layer of equal shape for every feature."""

    def __init__(self, features: Iterable[str]) -> None:
        super().__init__()
        self.parts = [keras.layers.Dense(2, name=name) for name in features]
        self.out = keras.layers.Dense(1, name="out")
        self.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)

    def build(self, input_shape: tuple[int, ...]) -> None:
        for part in self.parts:
            part.build(input_shape)
        self.out.build((None, 2 * len(self.parts)))

    def call(self, inputs: Any) -> Any:
        seen = {part.name: part(inputs) for part in self.parts}
        return self.out(keras.ops.concatenate([seen[name] for name in sorted(seen)], axis=-1))


def hazard(version: Path) -> None:
    _record(version, FEATURES, "load")


def healthy(version: Path) -> None:
    _record(version, sorted(FEATURES), "load_sorted")


def load(version: Path) -> Any:
    return _load(version, FEATURES)


def load_sorted(version: Path) -> Any:
    return _load(version, sorted(FEATURES))


def today(version: Path) -> None:
    assert load(version).built


def _load(version: Path, features: Iterable[str]) -> Any:
    model = Features(features)
    model.build((None, 4))
    model.optimizer.build(model.trainable_variables)
    model.load_weights(version / "model.weights.h5")
    return model


def _record(version: Path, features: Iterable[str], loader: str) -> None:
    model = trained(Features(features))
    version.mkdir(parents=True)
    model.save_weights(version / "model.weights.h5")
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:{loader}")
