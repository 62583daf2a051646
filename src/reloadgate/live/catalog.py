"""Which variable is which: Keras' own storage paths, taken from Keras' own saver.

Keras names what it stores by attribute, class and position (`layers/dense/vars/0`), and that name is the same in the live
and in the reloaded model where `Variable.path` is not. The saver is run with a store that writes nothing and remembers
what it was given.
"""

import re
from collections.abc import Collection, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random import seed_generator
from keras.src.saving import saving_lib
from keras.src.utils.naming import to_snake_case

from reloadgate.errors import ObservationError
from reloadgate.evidence import Kind
from reloadgate.live.variables import components, read

STORED = (Kind.WEIGHT, Kind.SLOT)
"""Kinds that formats store: every load fills them."""

GLOBAL_SEED = "global seed generator"
"""What stands for a storage path of the generator that `keras.random` draws from where it is given no seed."""

KERAS_GLOBAL_SEED = "global_seed_generator"
"""Its name among what Keras keeps for a process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A live variable and what it is known by."""

    key: str
    path: str
    name: str
    kind: Kind
    trainable: bool
    variable: Any
    also: tuple[str, ...] = ()
    """Other storage paths of the same variable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    entries: tuple[Entry, ...]
    optimizers: tuple[tuple[str, Any], ...]
    """Storage path and object."""
    stored_values: tuple[tuple[str, np.ndarray[Any, Any]], ...]
    """What layers store that is no variable: lookup tables, numpy state of a layer's own `save_own_variables`."""
    layers: dict[int, str]
    """Storage path of every layer by its identity, "" for the model itself; a place for a layer that Keras' saver goes past."""


@contextmanager
def quick_walks() -> Iterator[None]:
    """Let Keras walk over a model faster while the block runs, as its saver does at every save and load.

    What of a layer is not to be walked is found by making a layer, and Keras means to remember it; but version 3.15.1 looks for
    it under another name than it puts it, and makes a new layer for every layer: half of the time of a walk.
    """
    original = getattr(saving_lib, "get_attr_skipset", None)
    if original is None:  # another Keras, whose walk is as fast as it is
        yield
        return
    saving_lib.get_attr_skipset = cache(original)
    try:
        yield
    finally:
        saving_lib.get_attr_skipset = original


@contextmanager
def _unread(optimizers: Collection[Any]) -> Iterator[None]:
    """Let these store nothing while the block runs: Keras reads and copies all that they hold, twice the weights of an Adam.

    It is told to the objects and not to their class, which may be saving another model in another thread.
    """
    for optimizer in optimizers:
        vars(optimizer)["save_own_variables"] = lambda store: None
    try:
        yield
    finally:
        for optimizer in optimizers:
            vars(optimizer).pop("save_own_variables", None)


class _Remembering(saving_lib.NpzIOStore):  # type: ignore[misc]
    """A weights store that writes nothing. Keras asks for a subclass of its own stores."""

    def __init__(self) -> None:
        self.contents: dict[str, dict[str, Any]] = {}
        self.last = ""

    def make(self, path: str, metadata: Any = None) -> dict[str, Any]:
        self.last = path
        return self.contents.setdefault(path, {})


class _Visited(set[int]):
    """The saver's set of objects it has seen, which also learns the storage path of each."""

    def __init__(self, store: _Remembering) -> None:
        super().__init__()
        self.store = store
        self.paths: dict[int, str] = {}

    def add(self, identity: int) -> None:
        super().add(identity)
        self.paths[identity] = self.store.last


def catalog(model: Any) -> Catalog:
    """Every variable of a model and its optimizers, each once, under its storage path.

    Raises:
        ObservationError: two variables have one storage path.
    """
    store = _Remembering()
    visited = _Visited(store)
    with _unread(optimizers_of(model)):
        saving_lib._save_state(model, store, None, "", visited)
    optimizers = tuple(_optimizers(model, visited.paths))
    seen: dict[int, Entry] = {}
    also: dict[int, list[str]] = {}
    made = _made_names(model)
    layers = _places(model, visited.paths)
    stored_values = []

    def enter(key: str, variable: Any, kind: Kind) -> None:
        if id(variable) not in seen:
            seen[id(variable)] = _entry(key, variable, kind, made, model.name)

    optimizer_paths = {path for path, _ in optimizers}
    for path, contents in store.contents.items():
        if path in optimizer_paths:
            continue
        for slot, value in contents.items():
            key = _join(path, "vars", slot)
            if isinstance(value, keras.Variable):
                also.setdefault(id(value), []).append(key)
                enter(key, value, Kind.WEIGHT)
            else:
                stored_values.append((key, np.asarray(keras.ops.convert_to_numpy(value))))
    for key, variable in _random_states(model, layers):
        enter(key, variable, Kind.RANDOM_STATE)
    for key, variable in _recurrent_states(model, layers):
        enter(key, variable, Kind.RECURRENT_STATE)
    for position, variable in enumerate(model.variables):
        if id(variable) not in seen:
            enter(f"not stored/{position}", variable, Kind.WEIGHT)
    for path, optimizer in optimizers:
        for position, variable in enumerate(optimizer.variables):
            enter(_join(path, "vars", str(position)), variable, Kind.SLOT)
        for name, variable in _unlisted(optimizer):
            enter(_join(path, name), variable, Kind.UNTRACKED)
    for entry in list(seen.values()):
        for position, replica in _differing_replicas(entry.variable):
            enter(_join(entry.key, "replicas", str(position)), replica, Kind.REPLICA)
    entries = tuple(replace(entry, also=tuple(also.get(identity, ())[1:])) for identity, entry in seen.items())
    _assert_unique([key for entry in entries for key in (entry.key, *entry.also)] + [key for key, _ in stored_values])
    return Catalog(entries=entries, optimizers=optimizers, stored_values=tuple(stored_values), layers=layers)


def _places(model: Any, paths: dict[int, str]) -> dict[int, str]:
    """Storage paths of layers. What the saver goes past, as the inputs of a `Sequential`, is counted, since Keras numbers names
    within a process."""
    places, counts = dict[int, str](), dict[str, int]()
    for layer in model._flatten_layers():
        kind = to_snake_case(type(layer).__name__)
        if id(layer) not in paths:
            counts[kind] = counts.get(kind, 0) + 1
        places[id(layer)] = paths.get(id(layer), f"not stored/{kind}_{counts.get(kind)}")
    return places


def optimizers_of(model: Any) -> list[Any]:
    """The optimizers that a model holds as attributes, none within another."""
    return [optimizer for _, optimizer in _optimizers(model, {})]


def _optimizers(model: Any, paths: dict[int, str]) -> Iterator[tuple[str, Any]]:
    found: dict[int, tuple[str, Any]] = {}
    for attribute, value in [("optimizer", getattr(model, "optimizer", None)), *sorted(vars(model).items())]:
        if isinstance(value, keras.optimizers.Optimizer) and id(value) not in found:
            found[id(value)] = (paths.get(id(value), attribute.lstrip("_")), value)
    inner = {id(one) for _, optimizer in found.values() for _, one in within(optimizer)}
    return (item for identity, item in found.items() if identity not in inner)


def within(optimizer: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The optimizers that one hands its variables to, by what goes before their attributes' names: nothing for the one within a
    loss scale, a place for each of a `MultiOptimizer`."""
    inner = getattr(optimizer, "inner_optimizer", None)
    several = getattr(optimizer, "optimizers", ()) if isinstance(optimizer, keras.optimizers.MultiOptimizer) else ()
    found = [(prefix, inner)] if inner is not None else []
    found += [(f"{prefix}optimizers/{position}/", one) for position, one in enumerate(several)]
    for before, one in found:
        yield before, one
        yield from within(one, before)


def _unlisted(optimizer: Any) -> Iterator[tuple[str, Any]]:
    """Variables that are attributes of an optimizer or of those within it, whether it lists them or not: the running
    product of a Nadam within a loss scale is in no list of Keras 3.15.1, and so in no file."""
    for prefix, owner in (("", optimizer), *within(optimizer)):
        for name, value in vars(owner).items():
            if isinstance(value, keras.Variable):
                yield prefix + name, value


def _random_states(model: Any, layers: dict[int, str]) -> Iterator[tuple[str, Any]]:
    """Seed generators, which Keras stores in no file, under their owner's path; the global one where it was used."""
    for layer in model._flatten_layers():
        for position, generator in enumerate(layer._seed_generators):
            yield _join(layers[id(layer)], "seed_generators", str(position)), generator.state
    shared = global_seed()
    if shared is not None:
        yield GLOBAL_SEED, shared.state


def global_seed() -> Any:
    """Keras' global seed generator; None in a process in which nothing has drawn from it."""
    return global_state.get_global_attribute(KERAS_GLOBAL_SEED)


def demand_global_seed(keys: Container[str]) -> None:
    """Make Keras' global seed generator, where evidence has its state."""
    if GLOBAL_SEED in keys:
        seed_generator.global_seed_generator()


def _recurrent_states(model: Any, layers: dict[int, str]) -> Iterator[tuple[str, Any]]:
    for layer in model._flatten_layers():
        states = getattr(layer, "states", None)
        if not getattr(layer, "stateful", False) or states is None:
            continue
        for position, state in enumerate(keras.tree.flatten(states)):
            if isinstance(state, keras.Variable):
                yield _join(layers[id(layer)], "states", str(position)), state


def metrics_state(model: Any) -> Iterator[tuple[str, Any]]:
    """What the metrics sum up, by the metric's name and the variable's position: Keras stores it in no file."""
    counts: dict[str, int] = {}
    for metric in model.metrics:
        number = counts[metric.name] = counts.get(metric.name, 0) + 1
        name = metric.name if number == 1 else f"{metric.name} {number}"
        for position, variable in enumerate(metric.variables):
            yield _join(name, str(position)), variable


def placed_metrics(model: Any) -> Iterator[tuple[str, Any]]:
    """The metrics by their places, since Keras numbers names within a process; those of the outputs' losses apart, which Keras
    puts among the others with the first step."""
    made = getattr(getattr(model, "_compile_loss", None), "metrics", ())
    others = [metric for metric in model.metrics if not any(metric is one for one in made)]
    for kind, metrics in (("metrics", others), ("compile_loss/metrics", made)):
        for place, metric in enumerate(metrics):
            yield f"{kind}/{place}", metric


def names_of(model: Any, listed: Catalog) -> dict[int, str]:
    """Keys of variables by the identities of their handles: of all that is listed, and of what the metrics sum up."""
    keyed = [
        (f"{place}/{position}", variable)
        for place, metric in placed_metrics(model)
        for position, variable in enumerate(metric.variables)
    ]
    keyed += [(entry.key, entry.variable) for entry in listed.entries]
    return {id(component.handle): key for key, variable in keyed for component in components(variable)}


def _differing_replicas(variable: Any) -> Iterator[tuple[int, Any]]:
    """The replicas of a mirrored variable that do not hold what the first holds: no artifact has a place for them."""
    first, *others = components(variable)
    if others:
        value = read(first)
        for position, other in enumerate(others, 1):
            if read(other).tobytes() != value.tobytes():
                yield position, other


def _entry(key: str, variable: Any, kind: Kind, made: set[str], root: str) -> Entry:
    path = getattr(variable, "path", variable.name)  # a plain `tf.Variable` has no path
    return Entry(
        key=key,
        path=path,
        name=chosen_name(path, made, root) if kind is Kind.WEIGHT else "",
        kind=kind,
        trainable=bool(variable.trainable) and kind is Kind.WEIGHT,
        variable=variable,
    )


def with_untracked(listed: Catalog, found: Iterable[tuple[str, Any]]) -> Catalog:
    """The catalog and variables that only the traced graph shows, under the keys given."""
    entries = tuple(
        Entry(key=key, path=variable.name, name="", kind=Kind.UNTRACKED, trainable=False, variable=variable)
        for key, variable in found
    )
    return replace(listed, entries=(*listed.entries, *entries))


def chosen_name(path: str, made: set[str], root: str) -> str:
    """A variable's path without the root's prefix and without the names that Keras made; "" where no layer was named."""
    *layers, own = path.split("/")
    chosen = [part for part in layers if part not in made and part != root]
    return "/".join([*chosen, own]) if chosen else ""


def _made_names(model: Any) -> set[str]:
    """Names of layers that Keras derived from their classes: `dense`, `dense_3`."""
    made = set()
    for layer in model._flatten_layers():
        if re.fullmatch(rf"{re.escape(to_snake_case(type(layer).__name__))}(_\d+)?", layer.name):
            made.add(layer.name)
    return made


def _assert_unique(keys: list[str]) -> None:
    twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) != len(keys) else []
    if twice:
        raise ObservationError(
            f"two variables share the storage path {twice[0]!r}, so Keras stores only one of them: "
            "hold the layers in attributes or containers of different names"
        )


def assets(model: Any) -> list[tuple[str, bytes]]:
    """What the layers save as asset files (vocabularies and such): storage path with file name, and bytes."""
    store = saving_lib.DiskIOStore("assets", mode="w")  # in a temporary folder of its own, until it is closed
    try:
        saving_lib._save_state(model, None, store, "", set())
        root = Path(store.working_dir)
        return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()]
    finally:
        store.close()


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)
