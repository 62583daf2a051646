"""Reading and writing live variables, bit for bit."""

import ctypes
import gc
import os
from collections.abc import Iterable
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


def value_of(component: tf.Variable) -> tf.Tensor:
    """What a `tf.Variable` holds, as its `read_value` gives it in a third of the time.

    Nothing is copied here: TensorFlow copies before it changes a value that somebody else still holds.
    """
    return tf.raw_ops.ReadVariableOp(resource=component.handle, dtype=component.dtype)


def read(variable: Any) -> np.ndarray[Any, Any]:
    """A variable's value as it is now, of the first replica: not to be written to, and it stays what it is."""
    return np.asarray(value_of(components(variable)[0]))


def write(variable: Any, value: np.ndarray[Any, Any]) -> None:
    """Give every replica of a variable a value of its own shape and dtype."""
    for component in components(variable):
        component.assign(tf.convert_to_tensor(value, dtype=component.dtype))


def empty(variables: Iterable[Any]) -> None:
    """Free the values of variables that are used no more.

    TensorFlow 2.21 keeps the graph of a train function with a custom gradient for as long as the process lives, and with it the
    variables: their values would stay in memory beside those of the next model that is loaded.
    """
    for variable in variables:
        for component in components(variable):
            nothing = tf.zeros((0,), component.dtype)
            tf.raw_ops.AssignVariableOp(resource=component.handle, value=nothing, validate_shape=False)


def give_back() -> None:
    """Collect what is used no more, and give its memory back to the system, where the C library can (glibc)."""
    gc.collect()
    if _trim is not None:
        _trim(0)


# Looked up once, at import: a library that is opened later is taken for something from outside (`engine/footprint.py`).
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
