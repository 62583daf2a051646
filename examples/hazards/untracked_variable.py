"""A layer keeps its state in a plain `tf.Variable`, which Keras does not track."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import reloadgate
from examples.hazards.common import PROBE, compiled, same_predictions, trained

FROM = "1.1"
TODAY = "the variable is neither in `weights` nor in the file; the reloaded model draws another one"
SILENT = True
ROW = "predictions"
REMEDY = "make the state with `add_weight`"


@keras.saving.register_keras_serializable("hazards")
class Untracked(keras.layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = tf.Variable(tf.random.normal([4]))

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


@keras.saving.register_keras_serializable("hazards")
class Tracked(keras.layers.Layer):
    def build(self, input_shape: tuple[int, ...]) -> None:
        self.scale = self.add_weight(shape=(4,), initializer="random_normal", name="scale")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


def hazard(version: Path) -> None:
    model = trained(compiled(Untracked(), keras.layers.Dense(1)))
    reloadgate.save(model, version, probe=PROBE, imports=(__name__,))


def healthy(version: Path) -> None:
    model = trained(compiled(Tracked(), keras.layers.Dense(1)))
    reloadgate.save(model, version, probe=PROBE, imports=(__name__,))


def today(version: Path) -> None:
    one, other = (keras.models.load_model(version / "model.keras") for _ in range(2))
    assert len(one.weights) == 2
    assert not same_predictions(one, other), "not even two reloads agree"
