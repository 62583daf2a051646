"""A layer of our own: a gate over the inputs, learned."""

import keras


class Gated(keras.layers.Layer):
    """Multiplies every input by a weight between 0 and 1."""

    def build(self, shape):
        self.gate = self.add_weight(shape=(shape[-1],), initializer="zeros", name="gate")

    def call(self, x):
        return x * keras.ops.sigmoid(self.gate)


def built(settings):
    """A fresh compiled model, the same for the same settings."""
    model = keras.Sequential(
        [keras.Input((settings["inputs"],)), Gated(), keras.layers.Dense(settings["units"], "relu"), keras.layers.Dense(1)]
    )
    model.compile(optimizer=keras.optimizers.Adam(settings["learning_rate"]), loss="mse")
    return model
