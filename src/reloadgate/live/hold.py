"""Holding a live model still: whatever happens inside `held`, afterwards it is bit for bit what it was.

Kept and put back are every variable (model, optimizers, metrics, seed generators, states of recurrent layers), every
attribute of the model's objects, the names that Keras counts, and what random generators draw next.
"""

import contextlib
import copy
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend import name_scope
from keras.src.backend.common import global_state
from tensorflow.python.eager.polymorphic_function.polymorphic_function import Function
from tensorflow.python.framework import config as tf_config
from tensorflow.python.ops import summary_ops_v2
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

from reloadgate.live.attributes import Attributes, helpers, objects
from reloadgate.live.catalog import Catalog
from reloadgate.live.generators import Generators
from reloadgate.live.variables import components, value_of


class Held:
    """The state of a model at one moment, to be put back any number of times."""

    def __init__(self, model: Any, listed: Catalog) -> None:
        self.model = model
        self.values: dict[int, tuple[Any, tf.Tensor]] = {}
        self.also(_variables(model, listed))
        held_objects = objects(model, listed)
        self.attributes, self.generators = Attributes([*held_objects, *helpers(held_objects)]), Generators(held_objects)

    def also(self, variables: Iterable[Any]) -> None:
        """Hold these too, every replica by itself."""
        self.values |= {id(one): (one, value_of(one)) for variable in variables for one in components(variable)}

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


def names_given() -> Mapping[str, int]:
    """How far Keras has numbered the names that it gives in this process."""
    given: Mapping[str, int] = copy.copy(global_state.get_global_attribute("object_name_uids", defaultdict(int)))
    return given


def number_after(names: Mapping[str, int]) -> None:
    """Let Keras number on from there."""
    global_state.set_global_attribute("object_name_uids", copy.copy(names))


@contextmanager
def held(model: Any, listed: Catalog) -> Iterator[Held]:
    """Hold a model and the process' random state while the block runs, then put everything back."""
    names = names_given()
    state = Held(model, listed)
    with state.generators.held():
        try:
            yield state
        finally:
            state.put_back()
            state.attributes.put_back()
            number_after(names)


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


@contextmanager
def named_by_place(layers: Mapping[int, str]) -> Iterator[None]:
    """Name what layers compute by their storage paths while the block runs: Keras numbers names anew in every process, and
    TensorFlow sums in an order that depends on them, and writes them into the messages of assertions.

    Args:
        layers: storage paths by the identity of the layer.
    """
    original = keras.layers.Layer._open_name_scope
    places = {identity: re.sub(r"[^A-Za-z0-9.]", "_", f"at.{path}") for identity, path in layers.items()}

    def opened(layer: Any) -> Any:
        by_name, place = original(layer), places.get(id(layer))
        return by_name if place is None else name_scope(place, caller=layer)

    keras.layers.Layer._open_name_scope = opened
    try:
        yield
    finally:
        keras.layers.Layer._open_name_scope = original


@contextmanager
def functions_traced_afresh() -> Iterator[None]:
    """Let the user's own `tf.function`s be traced as if for the first time where a graph calls them while the block runs:
    otherwise they are what they were traced for before, as for rows of any number after `fit`."""
    original, fresh = Function.__call__, dict[int, tuple[Any, Any]]()

    def call(function: Any, *arguments: Any, **named: Any) -> Any:
        made = {id(clone) for _, clone in fresh.values()}
        if tf.executing_eagerly() or id(function) in made:
            return original(function, *arguments, **named)
        if id(function) not in fresh:
            fresh[id(function)] = function, function._clone(None)
        return original(fresh[id(function)][1], *arguments, **named)

    Function.__call__ = call
    try:
        yield
    finally:
        Function.__call__ = original


def _no_retracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


def _variables(model: Any, listed: Catalog) -> list[Any]:
    found = {id(entry.variable): entry.variable for entry in listed.entries}
    for metric in model.metrics:
        found.update({id(variable): variable for variable in metric.variables})
    return list(found.values())
