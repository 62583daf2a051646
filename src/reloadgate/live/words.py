"""Values in words that are the same in every process, as far as the values are."""

import hashlib
import json
import sys
from collections import deque
from enum import Enum
from functools import partial
from types import CellType, FunctionType, SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)

MANY = 1000
"""Numbers of an array above which it is known by a digest of them, as float64: what came back through JSON has another dtype."""

LONG = 200
"""Characters of JSON above which an attribute is known by its digest."""

NOT_THE_USERS = ("keras", "tensorflow", "builtins")
"""Packages whose classes give all their settings back, as far as rows of the configuration tell."""

KERAS = (keras.Layer, keras.Loss, keras.Metric, keras.Optimizer, keras.Initializer, keras.Regularizer)
"""Objects that are compared as such."""


def as_json(value: Any) -> str | None:
    """A plain value as text that is the same where the value came back through JSON, in which tuples are lists; None of anything
    else."""
    try:
        text = json.dumps(_through_json(value), sort_keys=True)
    except TypeError:
        return None
    return text if len(text) <= LONG else f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


DEEP = 3
"""Objects within one another that are looked into."""


def described(value: Any, depth: int = 0) -> Any:
    """What a constructor was given, in plain words: an object of the user's own is its class and what it keeps; a function is its
    name, as Keras writes it, with what it closes over and its defaults."""
    if depth == DEEP or isinstance(value, (*PLAIN, np.ndarray)):
        return value
    if isinstance(value, Enum):  # as its value, which is what a configuration holds of it
        return value.value if isinstance(value.value, PLAIN) else f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, tf.Tensor) and hasattr(value, "numpy"):
        return np.asarray(value)
    if isinstance(value, dict):
        return {key: described(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, deque)):
        return [described(item, depth + 1) for item in value]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != CellType()]
        given = [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return [value.__name__, *(plain_or_type(described(one, depth + 1)) for one in given)] if given else value.__name__
    if isinstance(value, partial):
        return described([value.func, *value.args, value.keywords], depth)
    if not isinstance(value, (type, *KERAS)) and is_the_users(type(value)) and (kept := kept_of(value)) is not None:
        told = {name: plain_or_type(described(item, depth + 1)) for name, item in kept.items()}
        return {"class": type(value).__qualname__, **told}
    return value


def kept_of(value: Any) -> dict[str, Any] | None:
    """What an object keeps, in a `__dict__` or in slots; None of one that has neither."""
    slots = [vars(one)["__slots__"] for one in type(value).__mro__ if "__slots__" in vars(one)]
    names = [name for some in slots for name in ([some] if isinstance(some, str) else some) if hasattr(value, name)]
    if not (names or hasattr(value, "__dict__")):
        return None
    return getattr(value, "__dict__", {}) | {name: getattr(value, name) for name in names if name != "__dict__"}


def is_keras(kind: type | FunctionType) -> bool:
    return kind.__module__.split(".")[0] in NOT_THE_USERS


def is_the_users(kind: type) -> bool:
    standard = kind.__module__.split(".")[0] in sys.stdlib_module_names
    return kind is SimpleNamespace or not (standard or is_keras(kind))


def plain_or_type(value: Any) -> Any:
    """What is no plain value is known by its type."""
    return value if as_json(value) is not None else type(value).__qualname__


def _through_json(value: Any) -> Any:
    """
    Raises:
        TypeError: it is, or holds, no plain value.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size > MANY:
        data = value.astype(np.float64).tobytes()
        return [*value.shape, hashlib.sha256(data).hexdigest()]  # a list of it would take ten times the memory
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufSU":
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {_key(key): _through_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, deque)):
        return [_through_json(item) for item in value]
    if isinstance(value, (set, frozenset)):
        items = [_through_json(item) for item in value]  # in the order of a list that was made by sorting them
        return sorted(items) if len({type(item) for item in items}) == 1 else sorted(items, key=json.dumps)
    if isinstance(value, (bytes, complex)):
        return repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 1 << 53 else str(value)
    if value is None or isinstance(value, (bool, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} is no plain value")


def _key(key: Any) -> str:
    """Numbers among keys are text where they came back through JSON, and what looks for numbers finds nothing."""
    plain = key.item() if isinstance(key, np.generic) else key
    return plain if isinstance(plain, str) else f"<{plain!r}>"
