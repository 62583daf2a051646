"""`saved_model/`: a TensorFlow graph with its variables, from `model.export` or `tf.saved_model.save`."""

from pathlib import Path
from typing import Any

from reloadgate.evidence import Capability, FormatName, Recipe

NAME = FormatName.SAVED_MODEL
FILE = "saved_model"
CAPABILITY = Capability.INFER
CANNOT = "a SavedModel holds a graph that serves and no Keras model: `load_model` of Keras 3 refuses it, and it cannot train"
HOLDS_CONFIGURATION = False
NEEDS_BUILDER = False

GRAPH = "saved_model.pb"
VARIABLES = "variables/variables"


def find(directory: Path) -> list[Path]:
    return sorted(path for path in (directory, *directory.iterdir()) if (path / GRAPH).is_file())


def save(model: Any, path: Path) -> None:
    """Keras refuses a subclassed model that was loaded and not called, although it knows its shapes."""
    called, vars(model)["_called"] = vars(model).get("_called", False), True
    try:
        model.export(str(path), verbose=False)
    finally:
        vars(model)["_called"] = called


def load(path: Path, recipe: Recipe, inputs: Any) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(str(path))


def stored_config(path: Path) -> dict[str, Any] | None:
    return None


def stored_variables(path: Path) -> dict[str, str] | None:
    return None
