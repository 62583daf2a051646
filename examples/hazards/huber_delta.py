"""A loss forgets an argument of its constructor when it is saved: `Huber(delta=...)`."""

from pathlib import Path

import keras

import reloadgate
from examples.hazards.common import PROBE, X, Y, compiled, trained

FROM = "1.3, and none of the articles"
TODAY = "`Huber.get_config` has no `delta` (Keras 3.15.1); the reloaded model trains with the default, 1"
SILENT = True
ROW = "resume"
REMEDY = "a registered loss function of your own that calls `keras.losses.huber(y, p, delta=...)`"


@keras.saving.register_keras_serializable("hazards")
def huber_of_a_tenth(y_true, y_pred):  # type: ignore[no-untyped-def]
    return keras.losses.huber(y_true, y_pred, delta=0.1)


def hazard(version: Path) -> None:
    _save(version, keras.losses.Huber(delta=0.1))


def healthy(version: Path) -> None:
    _save(version, huber_of_a_tenth)


def today(version: Path) -> None:
    model = keras.models.load_model(version / "model.keras")
    with_default = keras.losses.Huber()(Y, model(X))
    assert abs(model.evaluate(X, Y, verbose=0) - float(with_default)) < 1e-4


def _save(version: Path, loss: object) -> None:
    model = compiled()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, run_eagerly=True)
    reloadgate.save(trained(model), version, probe=PROBE, imports=(__name__,))
