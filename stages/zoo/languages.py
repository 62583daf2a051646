"""Which language a country's name is in: letters, embedded and read by a GRU in both directions."""

from typing import Any

import keras
import numpy as np
from keras import layers

from stages.zoo import Settings

LETTERS = 40
"""Letters of a name that are read; few names have more."""


def build(settings: Settings, x: Any, y: Any) -> keras.Model:
    """x text (n,), y int64 (n,), output (n, languages) logits."""
    vectorization = layers.TextVectorization(
        standardize="lower", split="character", output_sequence_length=LETTERS, name="letters"
    )
    vectorization.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((), dtype="string", name="name"),
            vectorization,
            layers.Embedding(vectorization.vocabulary_size(), 16, mask_zero=True, name="embedding"),
            layers.Bidirectional(layers.GRU(32, name="gru"), name="both_ways"),
            layers.Dropout(0.3, seed=settings.seed, name="dropout"),
            layers.Dense(len(np.unique(y)), name="language"),
        ],
        name="languages",
    )
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate, clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(k=3, name="among_three")],
    )
    return model
