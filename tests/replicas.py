"""Models on one and on two replicas of the processor: `python replicas.py FOLDER` trains and records a version of each, and
leaves the losses that `fit` goes on with."""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import reloadgate

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@keras.saving.register_keras_serializable("reloadgate_tests")
def among_the_rows(y: Any, predicted: Any) -> Any:
    """A loss that depends on which other rows there are, as one with negatives out of the batch."""
    return keras.ops.square(predicted - y - keras.ops.mean(predicted, axis=0))


@keras.saving.register_keras_serializable("reloadgate_tests")
class Sum(keras.losses.Loss):
    """A batch that every replica is given whole counts twice in it."""

    def __init__(self, name: str = "sum", reduction: str = "sum", **settings: Any) -> None:
        super().__init__(name=name, reduction=reduction, **settings)

    def call(self, y: Any, predicted: Any) -> Any:
        return keras.ops.square(predicted - y)


LOSSES: dict[str, Any] = {"among": among_the_rows, "sum": Sum(), "mean": "mse"}


def model_of(loss: str, replicas: int) -> keras.Model:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]) if replicas == 2 else tf.distribute.get_strategy()
    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9), loss=LOSSES[loss])
    return model


def on_one(directory: Path) -> keras.Model:
    return keras.models.load_model(directory / "model.keras")


def on_two(directory: Path) -> keras.Model:
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        return on_one(directory)


VERSIONS = {
    "others": ("among", 2, on_one),
    "whole": ("sum", 2, on_two),
    "divided": ("mean", 1, on_two),
}
"""By what becomes of the rows: the loss, the replicas in training, and the loader."""


def main(folder: Path) -> None:
    x = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
    x = x[np.argsort(x[:, 0])]  # so that one replica's rows are unlike the other's
    y = 3 * x[:, :1]
    for name, (loss, replicas, loader) in VERSIONS.items():
        model, version = model_of(loss, replicas), folder / name / "1"
        model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        version.mkdir(parents=True)
        model.save(version / "model.keras")
        options: dict[str, Any] = {"loader": f"replicas:{loader.__name__}", "code_path": (str(Path(__file__).parent),)}
        reloadgate.record(model, version, probe=(x, y), **options)
        history = model.fit(x, y, batch_size=24, epochs=3, shuffle=False, verbose=0).history
        (folder / f"{name}.json").write_text(json.dumps(history["loss"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
