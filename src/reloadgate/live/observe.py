"""The observer: one function takes the evidence of a model, before saving and after reloading.

The order matters. The optimizer is built before its rows are taken, because checkpoints restore its slots only then. The
train function is traced afresh, because a function that was traced for another batch shape gives other bits. Random state
from the saved evidence is put in place before the steps, so that lost random state and a lost optimizer are told apart.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.saving import saving_lib, serialization_lib

from reloadgate.arrays import Array, ArrayWriter
from reloadgate.evidence import CALL, GRAPH_SCHEME, PREDICT, TRAINING, Graph, Group, Kind, Observation, Optimizer, Variable
from reloadgate.formats.built import build_optimizer
from reloadgate.live import hold
from reloadgate.live.behaviour import Behaviour, RandomState, Run, Values, final_of, log_of, named_outputs, put_random_state
from reloadgate.live.catalog import (
    STORED,
    Catalog,
    Entry,
    assets,
    catalog,
    demand_global_seed,
    metrics_state,
    names_of,
    optimizers_of,
    with_untracked,
    within,
)
from reloadgate.live.described import of_losses, others, plain, settings, told, treatment
from reloadgate.live.graphs import Traced, graphs, trace, trace_predict, untracked
from reloadgate.live.look import Look, as_fit_gives_it
from reloadgate.live.methods import of_methods
from reloadgate.live.reach import silent
from reloadgate.live.reads import read_of
from reloadgate.live.variables import components, empty, read
from reloadgate.ndarrays import array_digest
from reloadgate.nouns import json_object
from reloadgate.probe import Probe

RESTORED = (Kind.RANDOM_STATE, Kind.RECURRENT_STATE)
"""Kinds that no format stores: the evidence keeps them whole, and `restore` gives them back."""

LATER = tuple(10**power for power in range(7))
"""Steps from now on for which the rate of a schedule is taken."""


def observe(
    model: Any,
    probe: Probe,
    arrays: ArrayWriter,
    *,
    steps: int,
    train: bool,
    serve: bool,
    tests: bool = False,
    behaves: bool = True,
    repeat: bool = False,
    keep: bool = True,
    random_state: RandomState | None = None,
    first: Callable[[], object] = lambda: None,
) -> Observation:
    """Observe a model.

    Args:
        model: a built or buildable `keras.Model`.
        probe: the batch for predictions and steps; where it has no rows, both are noted as not observed.
        arrays: where the arrays go.
        steps: how many training steps to resume on the probe, as one batch.
        train: let it predict as it does in training too.
        serve: let it predict as an export of it would too.
        tests: let it take a test step too, as a model with one of its own always does.
        behaves: let it predict and take the steps; otherwise what it holds is all that is looked at.
        repeat: take the steps twice and measure the noise floor, and watch which units the probe activates (the saved side).
        keep: leave the model bit for bit as it was; otherwise what formats store of it is gone afterwards, and never in memory
            twice: it is to be loaded again.
        random_state: values by storage path, put in place before the steps (the reloaded side).
        first: called once the model and its optimizer are built, before the model does anything: `save` writes the artifacts
            there, because steps may move what nobody can put back.
    """
    look, drawn = Look(model, probe, arrays), set[str]()
    if not model.built and probe.rows:
        look.attempt(Group.STRUCTURE, "build", lambda: model(look.inputs[0], training=False))
    was_built = {id(optimizer): bool(optimizer.built) for optimizer in optimizers_of(model)}
    _build_optimizer(look)
    # Before anything is written: Keras takes the optimizer out of the settings of a model that it writes as `.h5`.
    config = look.attempt(Group.STRUCTURE, "configuration", lambda: _stored_config(model))
    with ThreadPoolExecutor(1) as beside, contextlib.ExitStack() as held:
        listed = catalog(model)
        early = {entry.key: read(entry.variable) for entry in listed.entries}
        describing = beside.submit(_described, listed.entries, early, arrays)
        first()
        demand_global_seed(random_state or ())
        listed = catalog(model)
        state = held.enter_context(hold.held(model, listed))
        for setting in (
            hold.deterministic_operations(),
            hold.functions_as_graphs(),
            hold.functions_traced_afresh(),
            hold.named_by_place(listed.layers),
            hold.no_summaries(),
        ):
            held.enter_context(setting)
        things = told(model, listed)
        reading = read_of([*model._flatten_layers(), *(thing for _, thing in things)])
        attributes = [*plain(things, reading), *of_methods(things), *settings(model, listed), *of_losses(model, things)]
        training = partial(state.generators.fixed, drawn, unseeded_too=not repeat)
        shown = _Graphs(look, state, listed, training, predict=behaves, serve=behaves and serve, train=behaves and train)
        again = shown.predict.again if repeat and shown.predict else None
        rehearsing = beside.submit(_rehearsed, again) if again else None
        listed = shown.listed
        digesting = beside.submit(shown.digests)
        kept, metrics = tuple(_assets(look, listed)), tuple(_metrics(look))
        optimizers = tuple(_optimizer(look, path, o, listed, was_built.get(id(o), False)) for path, o in listed.optimizers)
        behaviour = Behaviour(look, state, listed, random_state or {}, training, watching=repeat, tests=tests)
        outputs, runs = tuple(behaviour.called()) if behaves else (), list[Run]()
        rest = plain(others(model, listed, things), reading)
        attributes += [one for one in rest if one.argument]  # a build may settle what is None
        if behaves:
            rehearsed = rehearsing.result() if rehearsing else None
            outputs += tuple(behaviour.predictions(shown.predict, shown.serve, shown.training, train, rehearsed))
            shown.predict = shown.serve = shown.training = None  # they take memory, which the steps need
        shown_graphs = digesting.result()
        before = describing.result() | _described(*_moved(state, listed, early), arrays)
        early.clear()  # or it would hold them in memory while the steps change them
        if behaves:
            runs = behaviour.resume(steps, times=2 if repeat else 1, keep=keep)
    if not keep:
        empty(entry.variable for entry in listed.entries if entry.kind in STORED)
    variables, optimizer = [], getattr(model, "optimizer", None)
    for entry in listed.entries:
        final, noise = final_of(look, entry.key, runs)
        variables.append(
            Variable(
                key=entry.key,
                path=entry.path,
                name=entry.name,
                kind=entry.kind,
                trainable=entry.trainable,
                value=before[entry.key],
                final=final,
                noise=noise,
                also=entry.also,
                treatment=treatment(entry.variable, optimizer) if entry.kind is Kind.WEIGHT else None,
            )
        )
    for key, name, value in behaviour.untracked() if runs else ():
        described = arrays.put(f"before/{key}", value)
        final, noise = final_of(look, key, runs)
        if model._distribute_strategy and final is not None and final.sha256 == described.sha256:
            continue  # a strategy with several replicas reads variables of its own
        variables.append(_untrained(key, Kind.UNTRACKED, described, name, final, noise))
    return Observation(
        class_name=type(model).__name__,
        config={key: value for key, value in config.items() if key != "compile_config"} if config else None,
        compile_config=config.get("compile_config") if config else _compile_config(model),
        compiled=bool(getattr(model, "compiled", False)),
        variables=tuple(variables),
        assets=kept,
        optimizers=optimizers,
        outputs=outputs,
        steps=len(next(iter(runs[0].logs.values()), ())) if runs else 0,
        logs=tuple(log_of(look, name, runs) for name in sorted(runs[0].logs)) if runs else (),
        moved_attributes=tuple(runs[0].moved_attributes) if runs else (),
        graphs=(*shown_graphs, *(graph for run in runs[:1] for graph in run.graphs)),
        notes=tuple(look.notes),
        metrics=metrics,
        silent=silent(behaviour.reached),
        generators=tuple(sorted(drawn)),
        attributes=tuple(attributes),
        graph_scheme=GRAPH_SCHEME,
        replicas=model.distribute_strategy.num_replicas_in_sync,
        execution={name: bool(getattr(model, name)) for name in ("jit_compile", "run_eagerly")} if model.compiled else {},
    )


def _described(entries: Iterable[Entry], values: Mapping[str, Any], arrays: ArrayWriter) -> dict[str, Array]:
    """Every variable by what it held, whatever the model does meanwhile."""
    return {entry.key: arrays.put(f"before/{entry.key}", values[entry.key], whole=entry.kind in RESTORED) for entry in entries}


def _moved(state: hold.Held, listed: Catalog, early: Mapping[str, Any]) -> tuple[list[Entry], dict[str, Any]]:
    """The variables that are not what they were before anything was written, as where a layer settles what it has on being
    saved, and what they hold: TensorFlow puts no other value where somebody still holds the first."""
    values = {entry.key: state.value(entry.variable) for entry in listed.entries}
    moved = [entry for entry in listed.entries if entry.key not in early or not _same_memory(early[entry.key], values[entry.key])]
    return moved, values


def _same_memory(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.dtype == other.dtype and one.ctypes.data == other.ctypes.data)


def _rehearsed(again: Callable[[], Any]) -> Values | None:
    """What a traced `predict` gives, before the model predicts; TensorFlow prepares it for that in C++, as long as it may take.

    What fails here fails again where it is asked for.
    """
    try:
        return named_outputs(again())
    except Exception:
        return None


def glance(model: Any, probe: Probe, random_state: RandomState) -> tuple[dict[str, str], dict[str, str]]:
    """Digests alone: of every stored variable by storage path, and of `model(x, training=False)` by output.

    The model is not put back: it was loaded for this alone.
    """
    look = Look(model, probe, ArrayWriter())
    _build_optimizer(look)
    with hold.deterministic_operations():
        listed = catalog(model).entries
        variables = {e.key: array_digest(read(e.variable)) for e in listed if e.kind in STORED}
        put_random_state(listed, random_state)
        outputs = named_outputs(model(look.inputs[0], training=False))
    return variables, {name: array_digest(value) for name, value in outputs.items()}


GLANCED = CALL
"""The mode of the outputs that `glance` digests."""


class _Graphs:
    """The model's graphs that are wanted, where it can be traced: Python that only runs eagerly cannot, and is no fault.

    A model that is compiled to run eagerly is traced to be looked into, and predicts as it does for its user.
    """

    def __init__(
        self,
        look: Look,
        state: hold.Held,
        listed: Catalog,
        training: Callable[[], AbstractContextManager[None]],
        *,
        predict: bool,
        serve: bool,
        train: bool,
    ) -> None:
        self._look, self._state = look, state
        model, x, layers = look.model, look.inputs[0] if look.inputs else None, listed.layers
        batch = keras.tree.lists_to_tuples(keras.utils.pack_x_y_sample_weight(as_fit_gives_it(x)))
        predict_graph = self._traced(lambda: trace_predict(model, batch, layers)) if predict else None
        self.serve = self._traced(lambda: trace(model, x, False, layers)) if serve else None  # as an export, which is a graph
        with training():
            training_graph = self._traced(lambda: trace(model, x, True, layers)) if train else None
        eager = getattr(model, "run_eagerly", False)
        self.predict, self.training = (None, None) if eager else (predict_graph, training_graph)
        known = {id(component) for entry in listed.entries for component in components(entry.variable)}
        known |= {id(c) for metric in model.metrics for v in metric.variables for c in components(v)}
        traced = [one for one in (predict_graph, self.serve, training_graph) if one is not None]
        found = untracked(traced, known)
        state.also(variable for _, variable in found)
        self.listed = with_untracked(listed, found)
        # `predict` under a distribution strategy has operations of the strategy.
        self._shown = {TRAINING: training_graph, PREDICT: None if model._distribute_strategy else predict_graph}

    def digests(self) -> tuple[Graph, ...]:
        """What every layer does where the model trains and where it predicts; the graphs are not kept for it any longer."""
        shown, self._shown = self._shown, {}

        def all_of() -> tuple[Graph, ...]:
            names = names_of(self._look.model, self.listed)
            return tuple(graph for mode, one in shown.items() if one for graph in graphs(one, mode, names))

        found: tuple[Graph, ...] = self._look.attempt(Group.STRUCTURE, "graphs", all_of, ())
        return found

    def _traced(self, trace: Callable[[], Traced]) -> Traced | None:
        if not self._look.probe.rows:
            return None
        try:
            return trace()
        except Exception:
            return None
        finally:
            self._state.put_back()
            self._state.attributes.put_back()


def _build_optimizer(look: Look) -> None:
    """Slots of an optimizer exist only once it is built; one that was never built stays built afterwards."""
    if isinstance(getattr(look.model, "optimizer", None), keras.optimizers.Optimizer) and look.model.built:
        look.attempt(Group.OPTIMIZER, "build", lambda: build_optimizer(look.model))


# Optimizers, assets, metrics


def _optimizer(look: Look, path: str, optimizer: Any, listed: Catalog, was_built: bool) -> Optimizer:
    rate = look.attempt(Group.COMPILE, f"{path} learning rate", lambda: _learning_rate(optimizer))
    return Optimizer(
        key=path,
        class_name=type(optimizer).__name__,
        config=look.attempt(Group.COMPILE, path, lambda: _plain_json(keras.optimizers.serialize(optimizer)), {}),
        learning_rate=None if rate is None else look.arrays.put(f"learning_rate/{path}", rate),
        slots=sum(entry.kind is Kind.SLOT and entry.key.startswith(f"{path}/") for entry in listed.entries),
        was_built=was_built,
    )


def _learning_rate(optimizer: Any) -> np.ndarray[Any, Any]:
    """The rate as float32, the narrower type: one side may hold it as float64 (measured for `floatx` float64). Of an optimizer
    that hands its variables to others, theirs.

    Of a schedule also those of `LATER` steps, to five digits, since another environment may compute other last ones: what acts
    after the resumed steps is lost as silently.
    """
    rates = []
    for owner in [one for _, one in (("", optimizer), *within(optimizer)) if not any(within(one))]:
        rates.append(np.asarray(keras.ops.convert_to_numpy(owner.learning_rate)))
        schedule, step = getattr(owner, "_learning_rate", None), owner.iterations
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            for ahead in LATER:
                with contextlib.suppress(Exception):  # a table of rates may end before
                    rate = schedule(keras.ops.convert_to_tensor(int(step) + ahead, dtype=step.dtype))
                    rates.append(np.asarray(f"{float(keras.ops.convert_to_numpy(rate)):.5g}", dtype=np.float32))
    return np.squeeze(np.array(rates, dtype=np.float32))


def _assets(look: Look, listed: Catalog) -> Iterator[Variable]:
    """Asset files and stored values as variables that do not train."""
    files: list[tuple[str, bytes]] = look.attempt(Group.ASSETS, "files", lambda: assets(look.model), [])
    values = [(name, np.frombuffer(content, dtype=np.uint8)) for name, content in files]
    for key, value in [*values, *listed.stored_values]:
        yield _untrained(key, Kind.ASSET, look.arrays.put(f"asset/{key}", value))


def _metrics(look: Look) -> Iterator[Variable]:
    for key, variable in metrics_state(look.model):
        yield _untrained(key, Kind.METRIC, look.arrays.put(f"metric/{key}", read(variable), whole=True))


def _untrained(key: str, kind: Kind, value: Array, path: str = "", final: Array | None = None, noise: float = 0.0) -> Variable:
    return Variable(key=key, path=path or key, name="", kind=kind, trainable=False, value=value, final=final, noise=noise)


# Configuration


def _stored_config(model: Any) -> dict[str, Any]:
    """What Keras would write as `config.json`, by Keras' own serializer, so that a file can be held against it."""
    return json_object(saving_lib._serialize_model_as_json(model)[0])


def _compile_config(model: Any) -> dict[str, Any] | None:
    """The settings of `compile` alone, of a model that has no configuration; None where Keras cannot write them."""
    with contextlib.suppress(Exception):
        return json_object(json.dumps(serialization_lib.serialize_dict(model.get_compile_config())))
    return None


def _plain_json(value: Any) -> Any:
    """JSON values only: what JSON has no word for becomes its type and a digest of what it prints."""
    if isinstance(value, dict):
        return {str(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_json(item) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else repr(float(value))
    if isinstance(value, (np.ndarray, tf.Tensor, keras.Variable)):
        array = np.asarray(keras.ops.convert_to_numpy(value))
        return {"array": array.dtype.name, "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
    return f"<{type(value).__module__}.{type(value).__qualname__}>"
