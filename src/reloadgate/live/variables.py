"""Reading and writing live variables, bit for bit."""

from typing import Any

import numpy as np
import tensorflow as tf


def components(variable: Any) -> tuple[Any, ...]:
    """The `tf.Variable`s behind a variable: one, or one a replica where a distribution strategy mirrors it.

    Their own reads and writes convert nothing and warn of nothing.
    """
    value = getattr(variable, "_value", None)
    backing = variable if value is None else value
    return tuple(backing.values) if isinstance(backing, tf.distribute.DistributedValues) else (backing,)


def read(variable: Any) -> np.ndarray[Any, Any]:
    """A copy of a variable's value; of the first replica's."""
    return np.asarray(components(variable)[0].numpy())


def write(variable: Any, value: np.ndarray[Any, Any]) -> None:
    """Give every replica of a variable a value of its own shape and dtype."""
    for component in components(variable):
        component.assign(tf.convert_to_tensor(value, dtype=component.dtype))
