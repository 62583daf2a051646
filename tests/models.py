"""Small models that fresh processes can build: named by tests as `builder` and `imports`."""

from typing import Any

import keras
import numpy as np
from keras import layers

Batch = tuple[Any, Any]


def _numbers(columns: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(24, columns)).astype(np.float32)


def plain() -> keras.Model:
    """Statistics, dropout and slots, in a Sequential."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.BatchNormalization(name="statistics"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(1, name="answer"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def branching() -> keras.Model:
    """Two inputs and two outputs by name, one layer shared."""
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    shared = layers.Dense(6, activation="tanh", name="shared")
    both = layers.Concatenate()([shared(one), shared(other)])
    outputs = {"amount": layers.Dense(1, name="amount")(both), "yes": layers.Dense(1, activation="sigmoid", name="yes")(both)}
    model = keras.Model({"one": one, "other": other}, outputs)
    model.compile(keras.optimizers.AdamW(0.01), {"amount": "mse", "yes": "binary_crossentropy"})
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Subclassed(keras.Model):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hidden = layers.Dense(5, activation="tanh")
        self.answer = layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.answer(self.hidden(x))


def subclassed() -> keras.Model:
    """Built by its first call only."""
    model = Subclassed()
    model.compile(keras.optimizers.RMSprop(0.01, momentum=0.9), "mse")
    return model


def words() -> keras.Model:
    """Text in, a vocabulary inside."""
    vectorization = layers.TextVectorization(max_tokens=8, output_sequence_length=4)
    vectorization.adapt(["a b c d e"])
    model = keras.Sequential(
        [keras.Input((), dtype="string"), vectorization, layers.Embedding(8, 4), layers.GRU(3), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


def data(name: str) -> Batch:
    """24 rows for the model of that name."""
    x = _numbers(4)
    match name:
        case "branching":
            return {"one": x, "other": x[:, ::-1].copy()}, {"amount": x[:, :1], "yes": (x[:, 1:2] > 0).astype(np.float32)}
        case "words":
            return np.array(["a b c", "b c", "d e a", "c c"] * 6), x[:, :1]
    return x, x.sum(axis=1, keepdims=True)


BUILDERS = {"plain": plain, "branching": branching, "subclassed": subclassed, "words": words}
