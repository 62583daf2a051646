"""What the hazards share: a small table, and a network that has learned from it."""

from typing import Any

import keras
import numpy as np

_RANDOM = np.random.default_rng(0)
X = _RANDOM.normal(size=(48, 4)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5], [3.0]]) + 0.1 * _RANDOM.normal(size=(48, 1))).astype(np.float32)
PROBE = (X[:16], Y[:16])


def compiled(*layers: Any) -> Any:
    """An untrained network of four inputs, with these layers or with two of Keras' own.

    It runs eagerly, because tracing so small a network takes longer than training it.
    """
    layers = layers or (keras.layers.Dense(8, activation="relu", name="hidden"), keras.layers.Dense(1, name="out"))
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", run_eagerly=True)
    return model


def trained(model: Any, epochs: int = 2) -> Any:
    """The same model, after some steps."""
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0)
    return model


def same_predictions(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one.predict(X, verbose=0), other.predict(X, verbose=0)))
