"""Layers are kept in a container into which Keras does not look, here a deque."""

from collections import deque
from pathlib import Path
from typing import Any

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, same_predictions, trained

FROM = "2.3"
TODAY = "their weights are neither trained nor saved; the reloaded layers start anew"
SILENT = True
ROW = "predictions"
REMEDY = "keep layers in attributes, lists or dicts"


@keras.saving.register_keras_serializable("hazards")
class Hidden(keras.layers.Layer):
    container: Any = deque

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = self.container([keras.layers.Dense(4), keras.layers.Dense(4)])

    def build(self, input_shape: tuple[int, ...]) -> None:
        for layer in self.steps:
            layer.build(input_shape)

    def call(self, inputs: Any) -> Any:
        for layer in self.steps:
            inputs = layer(inputs)
        return inputs


@keras.saving.register_keras_serializable("hazards")
class Seen(Hidden):
    container = list


def hazard(version: Path) -> None:
    model = trained(compiled(Hidden(), keras.layers.Dense(1)))
    reloadgate.save(model, version, probe=PROBE, imports=(__name__,))


def healthy(version: Path) -> None:
    model = trained(compiled(Seen(), keras.layers.Dense(1)))
    reloadgate.save(model, version, probe=PROBE, imports=(__name__,))


def today(version: Path) -> None:
    one, other = (keras.models.load_model(version / "model.keras") for _ in range(2))
    assert len(one.weights) == 2
    assert not same_predictions(one, other)
