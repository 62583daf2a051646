"""The observer: one function takes the evidence of a model, before saving and after reloading.

The order matters. The optimizer is built before its rows are taken, because checkpoints restore its slots only then. The
train function is traced afresh, because a function that was traced for another batch shape gives other bits. Random state
from the saved evidence is put in place before the steps, so that lost random state and a lost optimizer are told apart.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.saving import saving_lib

from reloadgate.arrays import Array, ArrayWriter, Kept, array_digest
from reloadgate.differences import value_difference
from reloadgate.evidence import Group, Kind, Log, Note, Observation, Optimizer, Output, Variable
from reloadgate.live import hold
from reloadgate.live.catalog import Catalog, assets, catalog
from reloadgate.nouns import json_object
from reloadgate.probe import Probe, map_leaves
from reloadgate.text import error_line

Values = dict[str, np.ndarray[Any, Any]]


class Observer:
    """One look at one live model; `observe` is its only public use."""

    def __init__(self, model: Any, probe: Probe, arrays: ArrayWriter) -> None:
        self.model, self.probe, self.arrays = model, probe, arrays
        self.inputs = tuple(map_leaves(_as_input, part) for part in probe.parts())
        self.notes: list[Note] = []

    def note(self, group: Group, subject: str, error: object) -> None:
        message = error_line(error) if isinstance(error, Exception) else str(error)
        self.notes.append(Note(group=group, subject=subject, message=message))

    def attempt(self, group: Group, subject: str, action: Callable[[], Any], otherwise: Any = None) -> Any:
        """Run what the user's code takes part in: if it raises, that is noted and is not the end."""
        try:
            return action()
        except Exception as error:
            self.note(group, subject, error)
            return otherwise


def observe(
    model: Any,
    probe: Probe,
    arrays: ArrayWriter,
    *,
    steps: int,
    repeat: bool,
    random_state: Mapping[str, np.ndarray[Any, Any]] | None = None,
) -> Observation:
    """Observe a model without changing it.

    Args:
        model: a built or buildable `keras.Model`.
        probe: the batch for predictions and steps; where it has no rows, both are noted as not observed.
        arrays: where the arrays go.
        steps: how many training steps to resume on the probe, as one batch.
        repeat: take the steps twice and measure the noise floor (the saved side).
        random_state: values by storage path, put in place before the steps (the reloaded side).
    """
    look = Observer(model, probe, arrays)
    if not model.built and probe.rows:
        look.attempt(Group.STRUCTURE, "build", lambda: model(look.inputs[0], training=False))
    was_built = {path: bool(o.built) for path, o in catalog(model).optimizers}
    _build_optimizers(look)
    with hold.held(model) as state, hold.deterministic_operations():
        listed = catalog(model)
        before = {entry.key: arrays.put(f"before/{entry.key}", hold.read(entry.variable)) for entry in listed.entries}
        optimizers = tuple(_optimizer(look, path, o, listed, was_built.get(path, False)) for path, o in listed.optimizers)
        outputs = tuple(_predictions(look, state))
        runs = _resume(look, state, listed, steps, random_state or {}, 2 if repeat else 1)
    variables = tuple(_variable(look, entry, listed, before, runs) for entry in listed.entries)
    config = look.attempt(Group.STRUCTURE, "configuration", lambda: _stored_config(model))
    return Observation(
        class_name=type(model).__name__,
        config={key: value for key, value in config.items() if key != "compile_config"} if config else None,
        compile_config=config.get("compile_config") if config else None,
        compiled=bool(getattr(model, "compiled", False)),
        variables=variables,
        assets=tuple(_assets(look, listed)),
        optimizers=optimizers,
        outputs=outputs,
        steps=len(next(iter(runs[0].logs.values()), ())) if runs else 0,
        logs=tuple(_log(look, name, runs) for name in sorted(runs[0].logs)) if runs else (),
        moved_attributes=tuple(runs[0].moved_attributes) if runs else (),
        notes=tuple(look.notes),
    )


def glance(model: Any, probe: Probe) -> tuple[dict[tuple[str, Kind], str], dict[str, str]]:
    """Digests alone: of every variable by storage path and kind, and of `model(x, training=False)` by output."""
    look = Observer(model, probe, ArrayWriter())
    _build_optimizers(look)
    with hold.held(model), hold.deterministic_operations():
        variables = {(e.key, e.kind): array_digest(hold.read(e.variable)) for e in catalog(model).entries}
        outputs = _named_outputs(model(look.inputs[0], training=False))
    return variables, {name: array_digest(value) for name, value in outputs.items()}


def _build_optimizers(look: Observer) -> None:
    """Slots of an optimizer exist only once it is built; one that was never built stays built afterwards."""
    optimizer = getattr(look.model, "optimizer", None)
    if isinstance(optimizer, keras.optimizers.Optimizer) and not optimizer.built and look.model.built:
        look.attempt(Group.OPTIMIZER, "build", lambda: optimizer.build(look.model.trainable_variables))


# Predictions


def _predictions(look: Observer, state: hold.Held) -> Iterator[Output]:
    if not look.probe.rows:
        look.note(Group.PREDICTIONS, "probe", "the probe has no rows, so nothing was predicted")
        return
    model, x = look.model, look.inputs[0]

    def predict() -> Any:
        return model.predict(x, batch_size=look.probe.rows, verbose=0)

    model.make_predict_function(force=True)
    for mode, function in (("call", lambda: model(x, training=False)), ("predict", predict)):
        first = look.attempt(Group.PREDICTIONS, mode, partial(_outputs_of, function))
        state.put_back()
        if first is None:
            continue
        second = look.attempt(Group.DETERMINISM, mode, partial(_outputs_of, function), {})
        state.put_back()
        for name, value in first.items():
            yield Output(
                mode=mode,
                name=name,
                value=look.arrays.put(f"{mode}/{name}", value, whole=True),
                noise=_noise(value, second.get(name)),
                constant=bool(value.shape[0] > 1 and all(row.tobytes() == value[0].tobytes() for row in value)),
            )


def _outputs_of(function: Callable[[], Any]) -> Values:
    return _named_outputs(function())


def _named_outputs(tree: Any, prefix: str = "") -> Values:
    """Outputs by name: the keys of dicts, the positions in lists, "output" for one alone."""
    if isinstance(tree, dict):
        pairs = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, (list, tuple)):
        pairs = [(str(position), value) for position, value in enumerate(tree)]
    else:
        return {prefix or "output": np.asarray(keras.ops.convert_to_numpy(tree))}
    found: Values = {}
    for name, value in pairs:
        found.update(_named_outputs(value, f"{prefix}/{name}" if prefix else name))
    return found


def _noise(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any] | None) -> float:
    """Largest difference of two runs; 1e300 where they are not even of one kind (JSON has no infinity)."""
    if second is None or first.shape != second.shape or first.dtype != second.dtype:
        return 1e300
    measured = value_difference(first, second)
    return 1e300 if measured is None else measured.max_abs


# Resumed steps


class Run:
    """One run of the resumed steps: what was logged, and every variable after the last."""

    def __init__(self) -> None:
        self.logs: dict[str, list[float]] = {}
        self.finals: dict[str, Array] = {}
        self.moved_attributes: list[str] = []


def _resume(
    look: Observer,
    state: hold.Held,
    listed: Catalog,
    steps: int,
    random_state: Mapping[str, np.ndarray[Any, Any]],
    times: int,
) -> list[Run]:
    if not getattr(look.model, "compiled", False):
        look.note(Group.RESUME, "steps", "the model is not compiled, so it cannot train")
        return []
    if not look.probe.rows or steps < 1:
        look.note(Group.RESUME, "steps", "the probe has no rows" if steps else "no steps were asked for")
        return []
    runs = []
    for number in range(times):
        state.put_back()
        for entry in listed.entries:
            if entry.key in random_state:
                hold.write(entry.variable, random_state[entry.key])
        run = look.attempt(Group.RESUME, "steps", partial(_steps, look, state, listed, steps, number))
        state.put_back()
        if run is None:
            return []
        runs.append(run)
    return runs


def _steps(look: Observer, state: hold.Held, listed: Catalog, steps: int, number: int) -> Run:
    run, model = Run(), look.model
    x, y, sample_weight = look.inputs
    model.make_train_function(force=True)
    for _ in range(steps):
        logged = model.train_on_batch(x, y, sample_weight=sample_weight, return_dict=True)
        for name, value in logged.items():
            run.logs.setdefault(name, []).append(float(np.mean(np.asarray(value, dtype=np.float64))))
    for entry in listed.entries:
        run.finals[entry.key] = look.arrays.put(f"after{number or ''}/{entry.key}", hold.read(entry.variable))
    run.moved_attributes = state.put_back_attributes()
    return run


def _log(look: Observer, name: str, runs: list[Run]) -> Log:
    values = [np.array(run.logs.get(name, []), dtype=np.float64) for run in runs]
    noise = max((_noise(values[0], again) for again in values[1:]), default=0.0)
    return Log(name=name, values=look.arrays.put(f"log/{name}", values[0]), noise=noise)


# Variables, optimizers, assets


def _variable(look: Observer, entry: Any, listed: Catalog, before: Mapping[str, Array], runs: list[Run]) -> Variable:
    final = runs[0].finals.get(entry.key) if runs else None
    noise = 0.0
    for run in runs[1:]:
        again = run.finals[entry.key]
        if final is not None and again.sha256 != final.sha256:
            noise = max(noise, _array_noise(look.arrays, final, again))
        look.arrays.kept.pop(again.name, None)
    return Variable(
        key=entry.key,
        path=entry.path,
        name=entry.name,
        kind=entry.kind,
        trainable=entry.trainable,
        value=before[entry.key],
        final=final,
        noise=noise,
    )


def _array_noise(arrays: ArrayWriter, first: Array, second: Array) -> float:
    a, b = arrays.kept[first.name], arrays.kept[second.name]
    if first.kept is Kept.SKETCH:
        return float(np.abs(a - b).max(initial=0.0))
    return _noise(a, b)


def _optimizer(look: Observer, path: str, optimizer: Any, listed: Catalog, was_built: bool) -> Optimizer:
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
    """The rate as float32, the narrower type: one side may hold it as float64 (measured for `floatx` float64)."""
    return np.asarray(keras.ops.convert_to_numpy(optimizer.learning_rate), dtype=np.float32)


def _assets(look: Observer, listed: Catalog) -> Iterator[Variable]:
    """Asset files and stored values as variables that do not train."""
    files: list[tuple[str, bytes]] = look.attempt(Group.ASSETS, "files", lambda: assets(look.model), [])
    values = [(name, np.frombuffer(content, dtype=np.uint8)) for name, content in files]
    for key, value in [*values, *listed.stored_values]:
        yield Variable(
            key=key,
            path=key,
            name="",
            kind=Kind.ASSET,
            trainable=False,
            value=look.arrays.put(f"asset/{key}", value),
            final=None,
            noise=0.0,
        )


# Configuration


def _stored_config(model: Any) -> dict[str, Any]:
    """What Keras would write as `config.json`, by Keras' own serializer, so that a file can be held against it."""
    return json_object(saving_lib._serialize_model_as_json(model)[0])


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


def _as_input(leaf: np.ndarray[Any, Any]) -> Any:
    """Text goes in as a tensor: Keras takes no NumPy strings."""
    return tf.constant(leaf) if leaf.dtype.kind in "SU" else leaf
