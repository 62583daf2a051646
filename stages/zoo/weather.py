"""How warm tomorrow gets: measures and kinds of weather of two weeks, an LSTM, a decaying rate and averaged weights."""

from typing import Any

import keras
from keras import layers

from stages.zoo import Settings


def build(settings: Settings, x: Any, y: Any) -> keras.Model:
    """x of `measures` float32 (n, days, 4) and `weather` text (n, days), y float32 (n, 1) in °C."""
    days = x["measures"].shape[1]
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(x["measures"])
    lookup = layers.StringLookup(name="kinds")
    lookup.adapt(x["weather"])
    measures = keras.Input((days, 4), name="measures")
    weather = keras.Input((days,), dtype="string", name="weather")
    kinds = layers.Embedding(lookup.vocabulary_size(), 3, name="embedding")(lookup(weather))
    read = layers.LSTM(32, name="lstm")(layers.Concatenate(name="day")([normalization(measures), kinds]))
    standardized = layers.Dense(1, name="standardized")(read)
    tomorrow = layers.Rescaling(float(y.std()), float(y.mean()), name="temp_max")(standardized)
    model = keras.Model({"measures": measures, "weather": weather}, tomorrow, name="weather")
    decay = keras.optimizers.schedules.ExponentialDecay(settings.learning_rate, settings.steps(len(y)), decay_rate=0.1)
    model.compile(
        # `fit` ends by putting the averages in the weights' place.
        optimizer=keras.optimizers.RMSprop(decay, use_ema=True, ema_momentum=0.98),
        loss="mean_squared_error",
        metrics=[keras.metrics.MeanAbsoluteError(name="degrees")],
    )
    return model
