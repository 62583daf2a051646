"""What one look at a model has at hand: the model, the probe, where the arrays go, and what could not be observed."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reloadgate.arrays import ArrayWriter
from reloadgate.differences import value_difference
from reloadgate.evidence import Group, Note
from reloadgate.probe import Probe, Ragged, leaves, map_leaves
from reloadgate.text import error_line


class Look:
    """One look at one live model."""

    def __init__(self, model: Any, probe: Probe, arrays: ArrayWriter) -> None:
        self.model, self.probe, self.arrays = model, probe, arrays
        self.inputs = tuple(map(as_inputs, probe.parts()))
        self.notes: list[Note] = []

    def note(self, group: Group, subject: str, error: object) -> None:
        message = error_line(error) if isinstance(error, Exception) else str(error)
        made = Note(group=group, subject=subject, message=message)
        if made not in self.notes:  # what is tried twice fails twice
            self.notes.append(made)

    def attempt(self, group: Group, subject: str, action: Callable[[], Any], otherwise: Any = None) -> Any:
        """Run what the user's code takes part in: if it raises, that is noted and is not the end."""
        try:
            return action()
        except Exception as error:
            self.note(group, subject, error)
            return otherwise


def as_inputs(part: Any) -> Any:
    """Text as a tensor, because Keras takes no NumPy strings; ragged rows as a ragged tensor; and all that is beside them as
    tensors too, because one call takes no mixture."""
    mixed = any(isinstance(leaf, Ragged) or leaf.dtype.kind in "SU" for leaf in leaves(part))
    return map_leaves(_as_tensor, part) if mixed else part


def as_fit_gives_it(part: Any) -> Any:
    """Numbers in Keras' float type, as `fit` and `predict` cast arrays."""

    def cast(leaf: Any) -> Any:
        is_float = isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"
        return leaf.astype(keras.config.floatx()) if is_float else leaf

    return map_leaves(cast, part)


def _as_tensor(leaf: Any) -> Any:
    if isinstance(leaf, Ragged):
        return tf.RaggedTensor.from_nested_row_splits(_as_tensor(leaf.values), leaf.splits, validate=True)
    return tf.constant(leaf)


def is_constant(output: np.ndarray[Any, Any]) -> bool:
    """Whether an output is the same for every one of several rows; what has no rows, as a mean has none, is not."""
    return output.ndim > 0 and len(output) > 1 and all(row.tobytes() == output[0].tobytes() for row in output)


def noise_between(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any] | None) -> float:
    """Largest difference of two runs; 1e300 where they are not even of one kind (JSON has no infinity)."""
    if second is None or first.shape != second.shape or first.dtype != second.dtype:
        return 1e300
    measured = value_difference(first, second)
    return 1e300 if measured is None else measured.max_abs
