"""Which digit an 8×8 image shows: a Sequential model with dropout, trained with Adam."""

from typing import Any

import keras
from keras import layers

from stages.zoo import Settings


def build(settings: Settings, x: Any, y: Any) -> keras.Model:
    """x float32 (n, 64), y int64 (n,), output (n, 10) logits."""
    model = keras.Sequential(
        [
            keras.Input((64,), name="pixels"),
            layers.Dense(128, activation="relu", name="hidden"),
            layers.Dropout(0.3, seed=settings.seed, name="dropout"),
            layers.Dense(10, name="digit"),
        ],
        name="digits",
    )
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
