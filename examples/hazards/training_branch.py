"""A layer has state in a branch that only training takes, in a plain Python attribute."""

from pathlib import Path
from typing import Any

import keras
from keras import ops

import reloadgate
from examples.hazards.common import PROBE, compiled, same_predictions, trained

FROM = "2.4"
TODAY = "predictions agree, since they do not take the branch; training goes another way"
SILENT = True
ROW = "resume"
REMEDY = "state in a weight, settings in `get_config`"


@keras.saving.register_keras_serializable("hazards")
class Smoothed(keras.layers.Layer):
    """Scales its input while training, by what the caller set after construction."""

    strength = 1.0

    def call(self, inputs: Any, training: bool = False) -> Any:
        return inputs * self.strength if training else inputs


@keras.saving.register_keras_serializable("hazards")
class Kept(keras.layers.Layer):
    def build(self, input_shape: tuple[int, ...]) -> None:
        self.strength = self.add_weight(shape=(), initializer="ones", trainable=False, name="strength")

    def call(self, inputs: Any, training: bool = False) -> Any:
        return ops.multiply(inputs, self.strength) if training else inputs


def hazard(version: Path) -> None:
    model = compiled(Smoothed(), keras.layers.Dense(1))
    model.layers[0].strength = 0.7
    reloadgate.save(trained(model), version, probe=PROBE, imports=(__name__,))


def healthy(version: Path) -> None:
    model = compiled(Kept(), keras.layers.Dense(1))
    model.layers[0].strength.assign(0.7)
    reloadgate.save(trained(model), version, probe=PROBE, imports=(__name__,))


def today(version: Path) -> None:
    one, other = (keras.models.load_model(version / "model.keras") for _ in range(2))
    assert same_predictions(one, other)
    assert one.layers[0].strength == 1.0, "it was 0.7"
