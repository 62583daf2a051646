"""Attributes of a model's objects: what they are, what a step makes of them, and putting them back."""

import contextlib
import dis
import hashlib
import inspect
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import pairwise
from types import CellType, FunctionType, SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reloadgate.evidence import Attribute
from reloadgate.live.catalog import Catalog, within

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
VALUES = (*PLAIN, tf.Tensor, tf.RaggedTensor, tf.SparseTensor, keras.KerasTensor)

HELD_BY_THOSE = (keras.optimizers.schedules.LearningRateSchedule, keras.regularizers.Regularizer, keras.constraints.Constraint)
"""What layers and optimizers have as attributes and that has settings of its own."""

MANY = 1000
"""Numbers of an array above which it is known by a digest of them, as float64: what came back through JSON has another dtype."""

LONG = 200
"""Characters of JSON above which an attribute is known by its digest."""

NOT_THE_USERS = ("keras", "tensorflow", "builtins")
"""Packages whose classes give all their settings back, as far as rows of the configuration tell."""

COMMON = frozenset({"self", "args", "kwargs", "name", "dtype", "trainable", "autocast"})
"""Parameters of constructors that Keras takes over."""

KERAS = (keras.Layer, keras.Loss, keras.Metric, keras.Optimizer, keras.Initializer, keras.Regularizer)
"""Objects that are compared as such."""

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
    for position, metric in enumerate(model.metrics):  # by place, since Keras numbers names within a process
        add(f"metrics/{position}", metric)
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


def told(model: Any, listed: Catalog) -> Objects:
    """The objects, and losses and metrics that they and `compile` were given: those may make what they hold when they are first
    called, and are not put back."""
    held = objects(model, listed)
    found = {id(thing): (name, thing) for name, thing in held}
    for given in ("_user_metrics", "_user_weighted_metrics"):
        metrics = keras.tree.flatten(getattr(getattr(model, "_compile_metrics", None), given, None))
        for position, metric in enumerate(metrics):
            if isinstance(metric, keras.metrics.Metric):
                found.setdefault(id(metric), (f"{given.removeprefix('_user_')}/compiled/{position}", metric))
    for name, thing in held:
        for attribute, value in vars(thing).items():
            if isinstance(value, (keras.losses.Loss, keras.metrics.Metric)):
                found.setdefault(id(value), (f"{name}/{attribute.strip('_')}", value))
    return list(found.values())


class Attributes:
    """The attributes of objects at one moment, with a copy of what could be changed in place."""

    def __init__(self, held: Objects) -> None:
        self._held = [
            (name, thing, {one: (value, _content(value)) for one, value in vars(thing).items()}) for name, thing in held
        ]

    def plain(self) -> Iterator[Attribute]:
        """What objects of the user's own classes keep in plain attributes."""
        for name, thing, before in self._held:
            own = [one for one in type(thing).__mro__ if not _is_keras(one)]
            constructors = [vars(one)["__init__"] for one in own if "__init__" in vars(one)]
            arguments = {parameter for one in constructors for parameter in _parameters(one)} - COMMON
            arguments |= {text for one in constructors for text in _taken_out(one)} - COMMON
            for one in sorted(arguments - before.keys()):
                text = _as_json(_described(_of_property(thing, one)))
                if text is not None:
                    yield Attribute(key=f"{name}.{one}", value=text, argument=True)
            arguments |= {f"_{one}" for one in arguments} & {name for one in constructors for name in _mentioned(one)}
            arguments |= {f"_{cls.__name__.lstrip('_')}__{one}" for cls in own for one in arguments}  # as Python mangles `__one`
            for attribute, (_, content) in before.items() if own else ():
                argument = attribute in arguments
                text = (
                    _as_json(_described(content) if argument else content) if argument or not _is_keras_own(attribute) else None
                )
                if text is not None:
                    yield Attribute(key=f"{name}.{attribute}", value=text, argument=argument)

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
        return sorted({f"{name}.{attribute}" for name, attribute in moved if not _is_keras_own(attribute)})


def settings(model: Any, listed: Catalog) -> Iterator[Attribute]:
    """The configuration of Keras' own layers that layers of the user's hold: that of the model tells of none of them."""
    seen = set[int]()
    for owner in (layer for layer in model._flatten_layers() if not _is_keras(type(layer))):
        for layer in owner._flatten_layers(include_self=False):
            if id(layer) in seen or not _is_keras(type(layer)) or isinstance(layer, keras.Model):
                continue
            seen.add(id(layer))
            with contextlib.suppress(Exception):  # one whose settings Keras cannot write
                for name, value in _without_names(layer.get_config()).items():
                    text = _as_json(value)
                    if text is not None:
                        yield Attribute(key=f"{listed.layers.get(id(layer), layer.name)}.{name}", value=text, argument=True)


_OF_NO_CONSEQUENCE = {
    *COMMON,
    *("seed", "build_config", "batch_shape", "registered_name", "module"),
    *("vocabulary", "idf_weights", "mean", "variance", "bin_boundaries"),  # what layers were adapted to, compared as such
}


def _without_names(config: Any) -> Any:
    """A configuration without what says nothing of a layer that is built, or is compared elsewhere."""
    if isinstance(config, (list, tuple)):
        return [_without_names(item) for item in config]
    if not isinstance(config, dict):
        return config
    kept = {key: value for key, value in config.items() if key not in _OF_NO_CONSEQUENCE and "initializer" not in str(key)}
    return {key: _without_names(value) for key, value in kept.items()}


def treatment(variable: Any, optimizer: Any) -> str:
    """What training does with a variable beside the gradient, as JSON: of one that is frozen now no step shows it."""
    found = {}
    for kind in ("regularizer", "constraint"):
        thing = getattr(variable, kind, None)
        if thing is not None:
            found[kind] = [type(thing).__qualname__]
            with contextlib.suppress(Exception):  # it has no configuration, or none of plain values
                found[kind].append(_as_json(thing.get_config()) or "")
    with contextlib.suppress(Exception):  # no optimizer, or none that decays weights
        if optimizer.weight_decay and not optimizer._use_weight_decay(variable):
            found["weight_decay"] = ["none"]
    return json.dumps(found, sort_keys=True) if found else ""


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


def _of_property(thing: Any, name: str) -> Any:
    """What a property says; where there is none, nothing that could be told."""
    if isinstance(getattr(type(thing), name, None), property):
        with contextlib.suppress(Exception):  # the user's own code
            return getattr(thing, name)
    return _ABSENT


def _parameters(constructor: Any) -> Iterable[str]:
    """The names of a constructor's parameters, but for those that take any number; none of one that Python cannot look into."""
    try:
        parameters = inspect.signature(constructor).parameters.values()
    except (TypeError, ValueError):
        return ()
    return [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def _taken_out(constructor: Any) -> Iterator[str]:
    """What a constructor takes out of its `**options` by name."""
    code = getattr(inspect.unwrap(constructor), "__code__", None)
    if code is not None and code.co_flags & inspect.CO_VARKEYWORDS:
        for one, after in pairwise(dis.get_instructions(code)):
            if one.argval in ("pop", "get") and after.opname == "LOAD_CONST" and isinstance(after.argval, str):
                yield after.argval


def _mentioned(constructor: Any) -> Iterable[str]:
    """The names of attributes that a constructor's own code uses: Keras has others with an underscore, as `_path`."""
    code = getattr(inspect.unwrap(constructor), "__code__", None)
    return code.co_names if code else ()


def _as_json(value: Any) -> str | None:
    """A plain value as text that is the same where the value came back through JSON, in which tuples are lists; None of anything
    else."""
    try:
        text = json.dumps(_through_json(value), sort_keys=True)
    except TypeError:
        return None
    return text if len(text) <= LONG else f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"


DEEP = 3
"""Objects within one another that are looked into."""


def _described(value: Any, depth: int = 0) -> Any:
    """What a constructor was given, in plain words: an object of the user's own is its class and what it keeps; a function is its
    name, as Keras writes it, with what it closes over and its defaults."""
    if depth == DEEP or isinstance(value, (*PLAIN, np.ndarray)):
        return value
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, tf.Tensor) and hasattr(value, "numpy"):
        return np.asarray(value)
    if isinstance(value, dict):
        return {key: _described(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, deque)):
        return [_described(item, depth + 1) for item in value]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != CellType()]
        given = [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return [value.__name__, *(_plain_or_type(_described(one, depth + 1)) for one in given)] if given else value.__name__
    if hasattr(value, "__dict__") and not isinstance(value, (type, *KERAS)) and _is_the_users(type(value)):
        kept = {name: _plain_or_type(_described(item, depth + 1)) for name, item in vars(value).items()}
        return {"class": type(value).__qualname__, **kept}
    return value


def _is_keras(kind: type) -> bool:
    return kind.__module__.split(".")[0] in NOT_THE_USERS


def _is_the_users(kind: type) -> bool:
    standard = kind.__module__.split(".")[0] in sys.stdlib_module_names
    return kind is SimpleNamespace or not (standard or _is_keras(kind))


def _plain_or_type(value: Any) -> Any:
    """What is no plain value is known by its type."""
    return value if _as_json(value) is not None else type(value).__qualname__


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
        return sorted(json.dumps(_through_json(item)) for item in value)
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


def _is_keras_own(attribute: str) -> bool:
    """Attributes that every step sets and that are no state of the user's."""
    return attribute.startswith("_") or attribute in _KERAS_OWN
