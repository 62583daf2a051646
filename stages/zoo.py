"""The sample models, untrained: each a function from its section of `params.yaml` and its training data to a compiled model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """A model's section of `params.yaml`."""

    version: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float


def digits(settings: Settings, x: Array, y: Array) -> keras.Model:
    """Which digit an 8×8 image shows: x float32 (n, 64), y int64 (n,), output (n, 10) logits."""
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


def diabetes(settings: Settings, x: Array, y: Array) -> keras.Model:
    """How far the disease progresses in a year: x float32 (n, 10) as measured, y float32 (n, 1)."""
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(x)
    steps = -(-len(x) // settings.batch_size) * settings.epochs
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
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps, alpha=0.1)
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=0.01),
        loss="mean_squared_error",
        metrics=[keras.metrics.R2Score(name="r2")],
    )
    return model


MODELS: dict[str, Callable[[Settings, Array, Array], keras.Model]] = {"digits": digits, "diabetes": diabetes}
