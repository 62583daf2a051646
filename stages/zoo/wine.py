"""Which cultivar a wine is of: a custom layer with weights of its own and a constructor argument, trained with momentum."""

from typing import Any

import keras
from keras import layers, ops

from stages.zoo import Settings


@keras.saving.register_keras_serializable("reloadgate")
class Prototypes(layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """How near its input is to each of some learned points: minus the squared distance, divided by a width for each.

    Args:
        points: how many points.
        width: what every width starts at.
    """

    def __init__(self, points: int, width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.points, self.width = points, width

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.centres = self.add_weight(name="centres", shape=(self.points, input_shape[-1]), initializer="glorot_uniform")
        self.widths = self.add_weight(
            name="widths", shape=(self.points,), initializer=keras.initializers.Constant(self.width), constraint="non_neg"
        )

    def call(self, inputs: Any) -> Any:
        """(n, features) to (n, points)."""
        distances = ops.sum(ops.square(inputs[:, None, :] - self.centres), axis=-1)
        return -distances / (self.widths + keras.config.epsilon())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "points": self.points, "width": self.width}


def build(settings: Settings, x: Any, y: Any) -> keras.Model:
    """x float32 (n, 13) as measured, y int64 (n,), output (n, 3) logits."""
    normalization = layers.Normalization(name="normalization")
    normalization.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((13,), name="measures"),
            normalization,
            layers.Dense(4, activation="tanh", name="projection"),
            Prototypes(3, width=0.5, name="cultivar"),
        ],
        name="wine",
    )
    model.compile(
        optimizer=keras.optimizers.SGD(settings.learning_rate, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
