"""Which units the probe never activates: what leads to and from them is in no prediction, so none can tell that it is another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reloadgate.evidence import Silent

RECTIFYING = (keras.activations.relu, keras.activations.relu6)
"""Activations that are exactly zero where a unit is not active."""

Reached = dict[tuple[str, int], np.ndarray[Any, Any]]
"""Whether each unit of a layer was ever active, by the layer's storage path and how many units it was called for: one `ReLU` may
be called for several widths."""


@contextmanager
def watched_units(layers: Mapping[int, str]) -> Iterator[Reached]:
    """Watch what the rectifying layers give while the block calls the model eagerly; a graph is not looked into.

    Args:
        layers: storage paths by the identity of the layer.
    """
    original, reached = keras.layers.Layer.__call__, Reached()

    def call(layer: Any, *arguments: Any, **named: Any) -> Any:
        output = original(layer, *arguments, **named)
        path = layers.get(id(layer))
        if path and _rectifies(layer) and isinstance(output, tf.Tensor) and hasattr(output, "numpy") and output.shape.rank:
            units = 1 if getattr(layer, "data_format", None) == "channels_first" else output.shape.rank - 1
            active = (output.numpy() != 0).any(axis=tuple(axis for axis in range(output.shape.rank) if axis != units))
            place = (path, active.size)
            reached[place] = reached.get(place, False) | active  # a shared layer is called more than once
        return output

    keras.layers.Layer.__call__ = call
    try:
        yield reached
    finally:
        keras.layers.Layer.__call__ = original


def silent(reached: Reached) -> tuple[Silent, ...]:
    """The layers with units that were never active."""
    return tuple(
        Silent(layer=path, units=int((~active).sum()), of=size) for (path, size), active in reached.items() if not active.all()
    )


def _rectifies(layer: Any) -> bool:
    activation = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.ReLU) or any(activation is one for one in RECTIFYING)
