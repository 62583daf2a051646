"""Holding a live model still: whatever happens inside `held`, afterwards it is bit for bit what it was.

Kept and put back are every variable (model, optimizers, metrics, seed generators, states of recurrent layers), every
attribute of the model's objects, the names that Keras counts, and the random state of Python, NumPy and TensorFlow.
"""

import contextlib
import copy
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from tensorflow.python.eager import context as eager_context
from tensorflow.python.framework import config as tf_config
from tensorflow.python.ops import summary_ops_v2
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

from reloadgate.live.catalog import KERAS_GLOBAL_SEED, Catalog, global_seed, within
from reloadgate.live.environment import NOBODYS_SEED
from reloadgate.live.variables import components

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
TENSORS = (tf.Tensor, tf.RaggedTensor, tf.SparseTensor, keras.KerasTensor)
VALUES = (*PLAIN, *TENSORS)


class Held:
    """The state of a model at one moment, to be put back any number of times."""

    def __init__(self, model: Any, listed: Catalog) -> None:
        self.model = model
        self.values: dict[int, tuple[Any, tf.Tensor]] = {}
        self.also(_variables(model, listed))
        self.attributes = [(name, thing, _attributes(thing)) for name, thing in _objects(model, listed)]

    def also(self, variables: Iterable[Any]) -> None:
        """Hold these too, every replica by itself."""
        self.values |= {id(one): (one, one.read_value()) for variable in variables for one in components(variable)}

    @contextmanager
    def others(self, known: Callable[[], set[int]]) -> Iterator[list[tuple[Any, tf.Tensor]]]:
        """Hold also the variables that are used meanwhile and not listed, as a train step has whose state nobody tracks.

        Each is read when its handle is first asked for, which is before anything is assigned to it: while a graph is traced,
        or while an operation is prepared. The variables and values are in the list that is yielded, once the block has ended.

        Args:
            known: the identities of the handles that are listed; a first step makes more of them, as those of metrics.
        """
        original, found, before = BaseResourceVariable.handle, dict[int, tuple[Any, tf.Tensor]](), known()

        def handle(variable: Any) -> Any:
            own = original.fget(variable)
            if id(own) not in before and id(own) not in found and hasattr(own, "numpy"):
                with contextlib.suppress(tf.errors.OpError), tf.init_scope():
                    value = tf.raw_ops.ReadVariableOp(resource=own, dtype=variable.dtype)
                    if value.shape.is_compatible_with(variable.shape):  # one that is just being made has none yet
                        found[id(own)] = variable, value
            return own

        kept: list[tuple[Any, tf.Tensor]] = []
        BaseResourceVariable.handle = property(handle)
        try:
            yield kept
        finally:
            BaseResourceVariable.handle = original
            after = known()
            kept += [pair for identity, pair in found.items() if identity not in after]
            self.values |= {id(variable): (variable, value) for variable, value in kept}

    def value(self, variable: Any) -> np.ndarray[Any, Any]:
        """A variable's value as it is held, of the first replica: not to be written to."""
        return np.asarray(self.values[id(components(variable)[0])][1])

    def put_back(self) -> None:
        for variable, value in self.values.values():
            # What `assign` does once it has made sure of dtype and shape, which are the variable's own.
            tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)
        for metric in self.model.metrics:
            # Metrics build their variables at the first step: those are new, and start at their initial value.
            if any(id(component) not in self.values for variable in metric.variables for component in components(variable)):
                metric.reset_state()

    def release(self, variables: Iterable[Any]) -> None:
        """Hold these no longer: what is done with them now is not put back, and takes no second copy of them."""
        for variable in variables:
            for component in components(variable):
                self.values.pop(id(component), None)

    def put_back_attributes(self) -> list[str]:
        """Put back every attribute; return those whose plain value is another by now, as `layer.attribute`.

        Tensors are put back too, and not named: what a step computes and keeps to be looked at is no state of the model's.
        """
        moved = []
        for name, thing, before in self.attributes:
            now = vars(thing)
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
                    _restore_content(value, _copied(content))
        return sorted({f"{name}.{attribute}" for name, attribute in moved if not _is_keras_own(attribute)})


_ABSENT = object()


@contextmanager
def held(model: Any, listed: Catalog) -> Iterator[Held]:
    """Hold a model and the process' random state while the block runs, then put everything back."""
    names = copy.copy(global_state.get_global_attribute("object_name_uids"))
    with _generators_held():
        state = Held(model, listed)
        try:
            yield state
        finally:
            state.put_back()
            state.put_back_attributes()
            if names is not None:
                global_state.set_global_attribute("object_name_uids", names)


@contextmanager
def _generators_held() -> Iterator[None]:
    """What Python, NumPy and TensorFlow draw next is afterwards what it was, and Keras' global seed generator is there only if it
    was: the catalog lists it then, and its state is held with the variables."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    shared = global_seed()
    context = eager_context.context()
    tf_seed, tf_rng = context._seed, copy.deepcopy(getattr(context, "_rng", None))
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        context._seed = tf_seed
        if tf_rng is not None:
            context._rng = tf_rng
        if shared is None:
            global_state.set_global_attribute(KERAS_GLOBAL_SEED, None)


@contextmanager
def fixed_generators(drawn: set[str], unseeded_too: bool) -> Iterator[None]:
    """The process' generators from one place, the same in every process, while the block trains.

    What a train step draws from them, as the share of a mixup, is no part of the model, and two processes can be compared only
    where both draw the same.

    Args:
        drawn: takes the names of the generators that were drawn from; TensorFlow's where it ran eagerly, since a graph shows it.
        unseeded_too: TensorFlow's generator also where nobody has set a seed, in the process that reloads. In the one that saves
            random operations raise without any, and are told of.
    """
    with _generators_held():
        random.seed(NOBODYS_SEED)
        np.random.seed(NOBODYS_SEED)
        context = eager_context.context()
        if unseeded_too or context._seed is not None:
            # As `tf.random.set_seed`, which would also begin the caller's own eager operations anew.
            context._seed, context._rng = NOBODYS_SEED, random.Random(NOBODYS_SEED)
        before = _places()
        try:
            yield
        finally:
            drawn |= {name for name, place in _places().items() if place != before[name]}


def _places() -> dict[str, object]:
    """How far each generator is."""
    _, numbers, *position = np.random.get_state()
    eager = getattr(eager_context.context(), "_rng", None)
    return {
        "random": random.getstate(),
        "numpy.random": (np.asarray(numbers).tobytes(), *position),
        "tf.random": eager.getstate() if eager is not None else None,
    }


@contextmanager
def no_summaries() -> Iterator[None]:
    """Nothing is written for TensorBoard while the block runs, and graphs are the same whether somebody watches or not."""
    state = summary_ops_v2._summary_state
    writer, state.writer = state.writer, None
    try:
        yield
    finally:
        state.writer = writer


@contextmanager
def deterministic_operations() -> Iterator[None]:
    """Op determinism while the block runs, and the caller's own setting afterwards; traces are meant, and not warned of."""
    before = tf_config.is_op_determinism_enabled()
    tf.config.experimental.enable_op_determinism()
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_no_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_no_retracing)
        if not before:
            tf_config.disable_op_determinism()


@contextmanager
def functions_as_graphs() -> Iterator[None]:
    """Functions run as graphs while the block runs, and as the caller has it afterwards.

    Where `tf.config.run_functions_eagerly` is on there is no graph of a train step to be looked into, and what no row of the
    probe reaches would be lost unseen.
    """
    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(False)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eagerly)


def _no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


def _variables(model: Any, listed: Catalog) -> list[Any]:
    found = {id(entry.variable): entry.variable for entry in listed.entries}
    for metric in model.metrics:
        found.update({id(variable): variable for variable in metric.variables})
    return list(found.values())


def _objects(model: Any, listed: Catalog) -> Iterator[tuple[str, Any]]:
    """What a step may change attributes of, by the same name in every process."""
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
    for metric in model.metrics:
        add(metric.name, metric)
    for container in ("_compile_metrics", "_compile_loss"):
        if getattr(model, container, None) is not None:
            add(container.strip("_"), getattr(model, container))
    yield from found.values()


def _attributes(thing: Any) -> dict[str, tuple[Any, Any]]:
    """Every attribute, with a copy of its content where that could be changed in place, and else itself."""
    return {name: (value, _copied(value) if _made_of(VALUES, value) else value) for name, value in vars(thing).items()}


def _made_of(kinds: tuple[type, ...], value: Any) -> bool:
    """Whether a value is of these kinds, or an array of numbers, or a list, set or dict of such, all the way down."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind != "O")
    if isinstance(value, dict):
        return all(_made_of(PLAIN, key) and _made_of(kinds, item) for key, item in value.items())
    if isinstance(value, (list, set)):
        return all(_made_of(kinds, item) for item in value)
    return isinstance(value, kinds)


def _copied(value: Any) -> Any:
    """Lists, sets, dicts and arrays all the way down: Keras' tracked containers cannot be deep-copied."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return set(value) if isinstance(value, set) else value


def _is_keras_own(attribute: str) -> bool:
    """Attributes that every step sets and that are no state of the user's."""
    return attribute.startswith("_") or attribute in {"built", "train_function", "test_function", "predict_function"}


def _same(value: Any, content: Any) -> bool:
    """Arrays by their bytes, tensors by identity."""
    if value is content:
        return True
    if isinstance(value, np.ndarray) or isinstance(content, np.ndarray):
        arrays = isinstance(value, np.ndarray) and isinstance(content, np.ndarray)
        return arrays and value.dtype == content.dtype and value.shape == content.shape and value.tobytes() == content.tobytes()
    if isinstance(value, dict) and isinstance(content, dict):
        return list(value) == list(content) and all(_same(item, content[key]) for key, item in value.items())
    if isinstance(value, list) and isinstance(content, list):
        return len(value) == len(content) and all(map(_same, value, content))
    return not isinstance(value, TENSORS) and _made_of(PLAIN, value) and bool(value == content)


def _restore_content(value: Any, content: Any) -> None:
    if isinstance(value, np.ndarray):
        value[...] = content
    elif isinstance(value, list):
        value[:] = content
    else:
        value.clear()
        value.update(content)
