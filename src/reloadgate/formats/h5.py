"""`model.h5`: the legacy format, architecture and weights in one HDF5 file."""

import logging
from pathlib import Path
from typing import Any

from reloadgate.evidence import Capability, FormatName, Recipe

NAME = FormatName.H5
FILE = "model.h5"
CAPABILITY = Capability.INFER
CANNOT = (
    "a legacy .h5 gives back no optimizer that can go on: Keras 3.15.1 loads it with state under other variables, "
    'and `fit` raises "Unknown variable"'
)
HOLDS_CONFIGURATION = False  # it does, in words of its own that Keras uses for nothing else
NEEDS_BUILDER = False


def find(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.glob("*.h5")) + sorted(directory.glob("*.hdf5")) if ".weights." not in path.name]


def save(model: Any, path: Path) -> None:
    logger = logging.getLogger("absl")  # it says that the format is legacy: who asked for it knows
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        model.save(path)
    finally:
        logger.setLevel(level)


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    import keras

    return keras.models.load_model(path, compile=False)


def stored_config(path: Path) -> dict[str, Any] | None:
    return None


def stored_variables(path: Path) -> dict[str, str] | None:
    return None
