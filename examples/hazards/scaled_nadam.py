"""`Nadam` within a `LossScaleOptimizer` keeps a running product that is in none of the listed variables."""

from pathlib import Path

import keras

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "1.3, and none of the articles"
TODAY = "slots and step come back, and the product starts again at 1 (Keras 3.15.1)"
SILENT = True
ROW = "structure"
REMEDY = "`Adam` within the loss scale; or keep `inner_optimizer._u_product` beside the model and assign it after loading"


def hazard(version: Path) -> None:
    _save(version, keras.optimizers.Nadam(0.01))


def healthy(version: Path) -> None:
    _save(version, keras.optimizers.Adam(0.01))


def today(version: Path) -> None:
    optimizer = keras.models.load_model(version / "model.keras").optimizer
    assert int(optimizer.inner_optimizer.iterations) == 6
    assert float(optimizer.inner_optimizer._u_product) == 1.0
    assert not any(variable is optimizer.inner_optimizer._u_product for variable in optimizer.variables)


def _save(version: Path, optimizer: keras.optimizers.Optimizer) -> None:
    model = compiled()
    model.compile(optimizer=keras.optimizers.LossScaleOptimizer(optimizer), loss="mse", run_eagerly=True)
    reloadgate.save(trained(model), version, probe=PROBE)
