"""Random generators beside those of `keras.random`: of the process, and attributes of the model's objects."""

import copy
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from keras.src.backend.common import global_state
from tensorflow.python.eager import context as eager_context

from reloadgate.live.attributes import Objects
from reloadgate.live.catalog import KERAS_GLOBAL_SEED, global_seed
from reloadgate.live.environment import NOBODYS_SEED

KINDS = (random.Random, np.random.RandomState, np.random.Generator)


class Generators:
    """Those that a model may draw from, by the names under which they are told of."""

    def __init__(self, objects: Objects) -> None:
        self._named: dict[str, Any] = {"random": random, "numpy.random": np.random}
        for name, thing in objects:
            for attribute, value in vars(thing).items():
                if isinstance(value, KINDS) and not isinstance(value, random.SystemRandom):
                    self._named[f"{name}.{attribute}"] = value

    @contextmanager
    def held(self) -> Iterator[None]:
        """What each draws next is afterwards what it was, TensorFlow's too, and Keras' global seed generator is there only if it
        was: the catalog lists it then, and its state is held with the variables."""
        states = {name: _state(generator) for name, generator in self._named.items()}
        shared = global_seed()
        context = eager_context.context()
        tf_seed, tf_rng = context._seed, copy.deepcopy(getattr(context, "_rng", None))
        try:
            yield
        finally:
            for name, state in states.items():
                _set_state(self._named[name], state)
            context._seed = tf_seed
            if tf_rng is not None:
                context._rng = tf_rng
            if shared is None:
                global_state.set_global_attribute(KERAS_GLOBAL_SEED, None)

    @contextmanager
    def fixed(self, drawn: set[str], unseeded_too: bool) -> Iterator[None]:
        """Each from one place, the same in every process, while the block trains.

        What a train step draws from them, as the share of a mixup, is no part of the model, and two processes can be compared
        only where both draw the same.

        Args:
            drawn: takes the names of those that were drawn from; TensorFlow's where it ran eagerly, since a graph shows it.
            unseeded_too: TensorFlow's also where nobody has set a seed, in the process that reloads. In the one that saves
                random operations raise without any, and are told of.
        """
        with self.held():
            for generator in self._named.values():
                _begin(generator)
            context = eager_context.context()
            if unseeded_too or context._seed is not None:
                # As `tf.random.set_seed`, which would also begin the caller's own eager operations anew.
                context._seed, context._rng = NOBODYS_SEED, random.Random(NOBODYS_SEED)
            before = self._places()
            try:
                yield
            finally:
                drawn |= {name for name, place in self._places().items() if place != before[name]}

    def _places(self) -> dict[str, bytes]:
        """How far each is."""
        eager = getattr(eager_context.context(), "_rng", None)
        states = {name: _state(generator) for name, generator in self._named.items()}
        states["tf.random"] = eager.getstate() if eager is not None else None
        return {name: pickle.dumps(state) for name, state in states.items()}


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    return generator.getstate() if hasattr(generator, "getstate") else generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif hasattr(generator, "setstate"):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _begin(generator: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = type(generator.bit_generator)(NOBODYS_SEED).state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(np.random.RandomState(type(generator._bit_generator)(NOBODYS_SEED)).get_state(legacy=False))
    else:
        generator.seed(NOBODYS_SEED)
