"""Attributes of a model's objects: what they are, what a step makes of them, and putting them back."""

from collections import deque
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reloadgate.live.catalog import Catalog, placed_metrics, within
from reloadgate.live.reads import is_helper
from reloadgate.live.words import DEEP, PLAIN

VALUES = (*PLAIN, tf.Tensor, tf.RaggedTensor, tf.SparseTensor, keras.KerasTensor)

HELD_BY_THOSE = (keras.optimizers.schedules.LearningRateSchedule, keras.regularizers.Regularizer, keras.constraints.Constraint)
"""What layers and optimizers have as attributes and that has settings of its own."""

Objects = list[tuple[str, Any]]


def objects(model: Any, listed: Catalog) -> Objects:
    """What a step may change attributes of, under names that are the same in every process."""
    found: dict[int, tuple[str, Any]] = {}

    def add(name: str, thing: Any) -> None:
        # What is not built yet is built by the first step and stays built: half of it cannot be taken back.
        if hasattr(thing, "__dict__") and getattr(thing, "built", True):
            found.setdefault(id(thing), (name, thing))

    for layer in model._flatten_layers():
        add(listed.layers.get(id(layer), layer.name) or "model", layer)
    for path, outer in listed.optimizers:
        add(path, outer)
        for place, inner in within(outer):
            add(f"{path}/{place}inner", inner)
    for place, metric in placed_metrics(model):
        add(place, metric)
    for position, loss in enumerate(keras.tree.flatten(getattr(model, "loss", None))):
        if isinstance(loss, keras.losses.Loss):
            add(f"loss/{position}", loss)
    for container in ("_compile_metrics", "_compile_loss"):
        if getattr(model, container, None) is not None:
            add(container.strip("_"), getattr(model, container))
    for name, thing in list(found.values()):
        for attribute, value in vars(thing).items():
            if isinstance(value, HELD_BY_THOSE):
                add(f"{name}/{attribute.strip('_')}", value)
    return list(found.values())


def helpers(held: Objects) -> Objects:
    """Objects of the project's own classes that those hold, and that a step may change the attributes of as well."""
    known, found, left = {id(thing) for _, thing in held}, list[tuple[str, Any]](), [(name, thing, 0) for name, thing in held]
    while left:
        name, thing, depth = left.pop()
        for attribute, value in vars(thing).items() if depth < DEEP else ():
            if id(value) not in known and is_helper(value):
                known.add(id(value))
                found.append((f"{name}/{attribute}", value))
                left.append((f"{name}/{attribute}", value, depth + 1))
    return found


class Attributes:
    """The attributes of objects at one moment, with a copy of what could be changed in place."""

    def __init__(self, held: Objects) -> None:
        self._held = [
            (name, thing, {one: (value, _content(value)) for one, value in vars(thing).items()}) for name, thing in held
        ]

    def put_back(self) -> list[str]:
        """Put back every attribute; return those whose plain value is another by now, as `layer.attribute`.

        Tensors are put back too, and not named: what a step computes and keeps to be looked at is no state of the model's.
        """
        moved = []
        for name, thing, before in self._held:
            now: dict[str, Any] = thing.__dict__
            for attribute in [one for one, value in now.items() if one not in before and _made_of(VALUES, value)]:
                value = now.pop(attribute)
                if _made_of(PLAIN, value):
                    moved.append((name, attribute))
            for attribute, (value, content) in before.items():
                after = now.get(attribute, _ABSENT)
                if _made_of(PLAIN, after) and not _same(after, content):
                    moved.append((name, attribute))
                if after is not value:
                    now[attribute] = value
                if not _same(value, content):
                    _restore(value, _copied(content))
        return sorted({f"{name}.{attribute}" for name, attribute in moved if not is_keras_own(attribute)})


_ABSENT = object()


def _made_of(kinds: tuple[type, ...], value: Any) -> bool:
    """Whether a value is of these kinds, or an array of numbers, or a container of such, all the way down."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind != "O")
    if isinstance(value, dict):
        return all(_made_of(PLAIN, key) and _made_of(kinds, item) for key, item in value.items())
    if isinstance(value, (list, set, deque)):
        return all(_made_of(kinds, item) for item in value)
    return isinstance(value, kinds)


def _content(value: Any) -> Any:
    return _copied(value) if _made_of(VALUES, value) else value


def _copied(value: Any) -> Any:
    """Containers and arrays all the way down: those that Keras tracks cannot be deep-copied."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (list, deque)):
        return [_copied(item) for item in value]
    return set(value) if isinstance(value, set) else value


def _same(value: Any, content: Any) -> bool:
    """Arrays by their bytes, tensors by identity."""
    if value is content:
        return True
    if isinstance(value, np.ndarray) and isinstance(content, np.ndarray):
        return value.dtype == content.dtype and value.shape == content.shape and value.tobytes() == content.tobytes()
    if isinstance(value, dict) and isinstance(content, dict):
        return list(value) == list(content) and all(_same(item, content[key]) for key, item in value.items())
    if isinstance(value, (list, deque)) and isinstance(content, (list, deque)):
        return len(value) == len(content) and all(map(_same, value, content))
    if isinstance(value, set) and isinstance(content, set):
        return value == content
    return isinstance(value, PLAIN) and isinstance(content, PLAIN) and bool(value == content)


def _restore(value: Any, content: Any) -> None:
    if isinstance(value, np.ndarray):
        value[...] = content
    elif isinstance(value, list):
        value[:] = content
    elif isinstance(value, deque):
        value.clear()
        value.extend(content)
    else:
        value.clear()
        value.update(content)


_KERAS_OWN = {
    *("built", "name", "autocast", "stateful", "supports_jit", "supports_masking", "activity_regularizer"),
    *("call_signature_parameters", "compiled", "loss", "steps_per_execution", "unrolled_steps_per_execution", "stop_training"),
    *("train_function", "test_function", "predict_function"),
}
"""Attributes that Keras' own classes set, and that are compared as settings or are of no consequence."""


def is_keras_own(attribute: str) -> bool:
    """Attributes that every step sets and that are no state of the user's."""
    return attribute.startswith("_") or attribute in _KERAS_OWN
