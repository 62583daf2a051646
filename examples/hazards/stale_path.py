"""Two runs save to one path, and the loader of the first reads what the second wrote."""

from pathlib import Path
from typing import Any

import reloadgate
from examples.hazards.common import PROBE, compiled, trained

FROM = "3.1, 3.6"
TODAY = "the path of weights has no influence on predictions; what lies there when it is read has"
SILENT = True
ROW = "weights"
REMEDY = "a directory for every version, never written again: `models/<name>/<version>/`"


def hazard(version: Path) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    shared = version.parent / "best.weights.h5"
    model.save_weights(shared)
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load_shared")
    trained(compiled()).save_weights(shared)  # the next run


def healthy(version: Path) -> None:
    model = trained(compiled())
    version.mkdir(parents=True)
    model.save_weights(version / "best.weights.h5")
    reloadgate.record(model, version, probe=PROBE, loader=f"{__name__}:load_own")


def load_shared(version: Path) -> Any:
    return _load(version.parent / "best.weights.h5")


def load_own(version: Path) -> Any:
    return _load(version / "best.weights.h5")


def today(version: Path) -> None:
    assert load_shared(version).built, "it loads, whoever wrote it"


def _load(weights: Path) -> Any:
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    model.load_weights(weights)
    return model
