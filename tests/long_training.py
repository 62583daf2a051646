"""A training run to be killed: `python long_training.py FOLDER`; prints an event a line, and what it ends with."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import models
import reloadgate
from reloadgate import callbacks


def say(*words: object) -> None:
    print(*words, flush=True)


class Saying(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        say("batch", int(self.model.optimizer.iterations.numpy()))


def main(folder: str) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(3)
    model, (x, y) = models.plain(), models.data("plain")

    def saying(event: str, function: Any) -> Any:
        def said(*arguments: Any, **named: Any) -> Any:
            say(event, int(model.optimizer.iterations.numpy()))
            return function(*arguments, **named)

        return said

    callbacks.save, callbacks.verify = saying("saving", callbacks.save), saying("judging", callbacks.verify)
    callbacks.SaveVersions._prune = saying("pruning", callbacks.SaveVersions._prune)  # type: ignore[method-assign]
    policy = reloadgate.Policy(location="any")
    saves = reloadgate.SaveVersions(
        folder, probe=(x, y), every=2, unit="step", keep=1, best="loss", location="any", policy=policy
    )
    fitted = model.fit(
        x, y, validation_data=(x, y), epochs=3, batch_size=8, shuffle=False, verbose=0, callbacks=[Saying(), saves]
    )
    seeds = [generator.state for layer in model.layers for generator in layer._seed_generators]
    for variable in [*model.weights, *model.optimizer.variables, *seeds]:
        say("final", hashlib.sha256(variable.numpy().tobytes()).hexdigest())
    for name, values in sorted(fitted.history.items()):
        say("final", name, values[-1])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(sys.argv[1])
