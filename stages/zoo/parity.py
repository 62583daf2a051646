"""Which digit an image shows, and whether it is odd: two outputs, shared layers, batch normalisation, mixed precision."""

from typing import Any

import keras
from keras import layers

from stages.zoo import Settings

HALF = "mixed_float16"
"""Computes in float16 and keeps its variables in float32."""


def build(settings: Settings, x: Any, y: Any) -> keras.Model:
    """x float32 (n, 64), y of `digit` int64 (n,) and `odd` float32 (n, 1), outputs (n, 10) and (n, 1) logits."""
    pixels = keras.Input((64,), name="pixels")
    rows = layers.Reshape((8, 8), name="rows")(pixels)
    shared = keras.Sequential(
        [
            layers.Flatten(name="flat"),
            layers.Dense(64, dtype=HALF, use_bias=False, name="strokes"),
            layers.BatchNormalization(dtype=HALF, name="normalized"),
            layers.Activation("relu", dtype=HALF, name="active"),
        ],
        name="shared",
    )
    upper, lower = layers.Cropping1D((0, 4), name="upper")(rows), layers.Cropping1D((4, 0), name="lower")(rows)
    both = layers.Concatenate(dtype=HALF, name="both")([shared(upper), shared(lower)])
    hidden = layers.Dense(64, activation="relu", dtype=HALF, name="hidden")(both)
    outputs = {name: layers.Dense(units, dtype="float32", name=name)(hidden) for name, units in (("digit", 10), ("odd", 1))}
    model = keras.Model(pixels, outputs, name="parity")
    model.compile(
        # float16 underflows where gradients are small: the loss is scaled up, by as much as does not overflow.
        optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(settings.learning_rate)),
        loss={
            "digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "odd": keras.losses.BinaryCrossentropy(from_logits=True),
        },
        loss_weights={"digit": 1.0, "odd": 0.5},
        metrics={"digit": ["accuracy"], "odd": [keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")]},
    )
    return model
