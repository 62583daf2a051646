"""How far diabetes progresses in a year: adapted normalisation, AdamW with a learning rate that decays."""

from typing import Any

import keras
from keras import layers

from stages.zoo import Settings


def build(settings: Settings, x: Any, y: Any) -> keras.Model:
    """x float32 (n, 10) as measured, y float32 (n, 1)."""
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((10,), name="measures"),
            normalization,
            layers.Dense(32, activation="relu", name="first"),
            layers.Dense(16, activation="relu", name="second"),
            layers.Dense(1, name="standardized"),
            layers.Rescaling(float(y.std()), float(y.mean()), name="progression"),
        ],
        name="diabetes",
    )
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=settings.steps(len(x)), alpha=0.1)
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=0.01),
        loss="mean_squared_error",
        metrics=[keras.metrics.R2Score(name="r2")],
    )
    return model
