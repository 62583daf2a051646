"""What a model does on the probe: predictions in every mode, and the resumed steps."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reloadgate.arrays import Array, Kept
from reloadgate.evidence import CALL, PREDICT, SERVE, TEST_STEP, TRAIN_STEP, TRAINING, Graph, Group, Log, Output
from reloadgate.live.catalog import STORED, Catalog, Entry, global_seed, names_of, optimizers_of
from reloadgate.live.graphs import Names, Traced, step_graphs, trace_step
from reloadgate.live.hold import Held
from reloadgate.live.look import Look, as_fit_gives_it, is_constant, noise_between
from reloadgate.live.reach import Reached, watched_units
from reloadgate.live.variables import components, give_back, read, write
from reloadgate.ndarrays import plain

Values = dict[str, np.ndarray[Any, Any]]
RandomState = Mapping[str, np.ndarray[Any, Any]]
"""Values of seed generators by storage path, put in place before what uses them (the reloaded side)."""


class Behaviour:
    """A model under observation, put back to what it was after everything that it does."""

    def __init__(
        self,
        look: Look,
        state: Held,
        listed: Catalog,
        random_state: RandomState,
        training: Callable[[], AbstractContextManager[None]],
        watching: bool,
        tests: bool,
    ) -> None:
        self.look, self.state, self.listed, self.random_state = look, state, listed, random_state
        self.training, self.watching, self.reached = training, watching, Reached()
        self.tests = tests or _own(look.model, OF_TESTS)
        self.others: dict[str, list[tuple[Any, Any]]] = {TRAIN_STEP: [], TEST_STEP: []}

    def set_random_state(self) -> None:
        put_random_state(self.listed.entries, self.random_state)

    def called(self) -> Iterator[Output]:
        """The outputs of the model called eagerly."""
        if self.look.probe.rows:
            with watched_units(self.listed.layers if self.watching else {}) as self.reached:
                yield from self._mode(CALL, lambda: self.look.model(self.look.inputs[0], training=False))

    def predictions(
        self, predict: Traced | None, serve: Traced | None, training: Traced | None, train: bool, rehearsed: Values | None
    ) -> Iterator[Output]:
        """The outputs of every mode but the eager call.

        Args:
            predict: the model's `predict_function`, traced for the probe; where there is none, it is made anew.
            serve: the model as it is exported; where there is none, it is not served.
            training: the model traced for training; where there is none, it is called.
            train: let it predict as in training.
            rehearsed: what `predict` gave without its Python: where bit for bit the same, it need not predict once more.
        """
        if not self.look.probe.rows:
            self.look.note(Group.PREDICTIONS, "probe", "the probe has no rows, so nothing was predicted")
            return
        model, x = self.look.model, self.look.inputs[0]
        if predict is None:
            model.make_predict_function(force=True)
        function = predict.function if predict else model.predict_function

        def predicted() -> Any:
            model.predict_function = function  # which is put back after everything that the model does
            return model.predict(x, batch_size=self.look.probe.rows, verbose=0)

        yield from self._mode(PREDICT, predicted, twice=True, other=rehearsed)
        if serve is not None:
            yield from self._mode(SERVE, lambda: serve.function(x))
        if train:
            with self.training():
                yield from self._mode(TRAINING, lambda: training.function(x) if training else model(x, training=True))

    def _mode(self, mode: str, function: Callable[[], Any], twice: bool = False, other: Values | None = None) -> Iterator[Output]:
        look = self.look
        first = look.attempt(Group.PREDICTIONS, mode, partial(self._outputs, function))
        if first is None:
            return
        twice = twice and not _same_bits(first, other)
        second = look.attempt(Group.DETERMINISM, mode, partial(self._outputs, function), {}) if twice else first
        for name, value in first.items():
            yield Output(
                mode=mode,
                name=name,
                value=look.arrays.put(f"{mode}/{name}", value, whole=True),
                noise=noise_between(value, second.get(name)),
                constant=is_constant(value),
            )

    def _outputs(self, function: Callable[[], Any]) -> Values:
        self.set_random_state()
        try:
            return named_outputs(function())
        finally:
            self.state.put_back()
            self.state.attributes.put_back()

    def resume(self, steps: int, times: int, keep: bool) -> list["Run"]:
        """The resumed steps, `times` times from the same state; none where the model cannot train.

        Args:
            keep: leave the model as it was; otherwise what formats store of it stays where the steps lead.
        """
        look = self.look
        if not getattr(look.model, "compiled", False):
            look.note(Group.RESUME, "steps", "the model is not compiled, so it cannot train")
            return []
        if not look.probe.rows or steps < 1:
            look.note(Group.RESUME, "steps", "the probe has no rows" if steps else "no steps were asked for")
            return []
        runs = []
        for number in range(times):
            self.state.put_back()
            self.set_random_state()
            if not keep and number == times - 1:
                self.state.release(entry.variable for entry in self.listed.entries if entry.kind in STORED)
                look.model.predict_function = None
                give_back()
            with self.training():
                run = look.attempt(Group.RESUME, "steps", partial(self._steps, steps, number))
            self.state.put_back()
            if run is None:
                return []
            runs.append(run)
        return runs

    def _known(self) -> set[int]:
        """Identities of the handles of every variable that is listed, or would be by now, and of what other steps use."""
        model = self.look.model
        variables = [entry.variable for entry in self.listed.entries]
        variables += [*model.variables, *(v for metric in model.metrics for v in metric.variables)]
        variables += [v for optimizer in optimizers_of(model) for v in optimizer.variables]
        shared = global_seed()
        variables += [] if shared is None else [shared.state]
        variables += [variable for found in self.others.values() for variable, _ in found]
        return {id(component.handle) for variable in variables for component in components(variable)}

    def _names(self) -> Names:
        return names_of(self.look.model, self.listed)

    def untracked(self) -> Iterator[tuple[str, str, np.ndarray[Any, Any]]]:
        """Keys, names and values, before the steps, of what the steps use beside what is listed."""
        for key, variable, value in self._besides():
            yield key, variable.name, np.asarray(value)

    def _besides(self) -> Iterator[tuple[str, Any, Any]]:
        for step, found in self.others.items():
            for position, (variable, value) in enumerate(found):
                yield f"untracked/{step}/{position}", variable, value

    @contextlib.contextmanager
    def _others(self, step: str, first: bool) -> Iterator[None]:
        """Hold also what a step uses beside what is listed, when it is taken for the first time."""
        if not first:
            yield
            return
        with self.state.others(self._known) as self.others[step]:
            yield

    def _steps(self, steps: int, number: int) -> "Run":
        run, model = Run(), self.look.model
        x, y, sample_weight = map(as_fit_gives_it, self.look.inputs)
        # As `fit` packs it: `train_on_batch` gives three parts always, which a `train_step` with `x, y = data` does not take.
        batch = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        compiled = getattr(model, "_compile_config", None)
        if compiled is not None and not any(compiled.config.get(kind) for kind in ("metrics", "weighted_metrics")):
            model._compile_metrics = None  # those of an earlier `compile`, which Keras keeps where a later one has none
        model._maybe_symbolic_build(data_batch=(x, y, sample_weight))
        given = _given(model, batch)
        with step_graphs(model, self._names) as run.graphs:
            model.make_train_function(force=True)
            for step in range(steps):
                model.reset_metrics()
                with self._others(TRAIN_STEP, number == step == 0):
                    logs = model.train_function(iter(given))
                for name, value in _flat(logs):
                    run.logs.setdefault(name, []).append(_mean(value))
        for entry in self.listed.entries:
            run.finals[entry.key] = self.look.arrays.put(f"after{number or ''}/{entry.key}", read(entry.variable))
        tested = list[Graph]()
        if self.tests:
            with self._others(TEST_STEP, number == 0), step_graphs(model, self._names, TEST_STEP) as tested:
                run.logs |= self._tested(given)
        for key, variable, _ in self._besides():
            run.finals[key] = self.look.arrays.put(f"after{number or ''}/{key}", read(variable))
        run.moved_attributes = self.state.attributes.put_back()
        if model.run_eagerly and number == 0:
            # As the first step found the model, and once every variable of a step is there. Some Python only runs eagerly.
            with contextlib.suppress(Exception), step_graphs(model, self._names) as run.graphs:
                trace_step(model, batch)
            with contextlib.suppress(Exception), step_graphs(model, self._names, TEST_STEP) as tested:
                if self.tests:
                    trace_step(model, batch, TEST_STEP)
            self.state.attributes.put_back()
        run.graphs = [*run.graphs, *tested]
        return run

    def _tested(self, given: Iterable[Any]) -> dict[str, list[float]]:
        """What a test step says of the batch, as `fit` names it; one of Keras' own may not go with a train step of the user's."""
        if _own(self.look.model, ("test_step",)):
            found: dict[str, list[float]] = self.look.attempt(Group.RESUME, TEST_STEP, partial(self._evaluated, given), {})
            return found
        with contextlib.suppress(Exception):
            return self._evaluated(given)
        return {}

    def _evaluated(self, given: Iterable[Any]) -> dict[str, list[float]]:
        model = self.look.model
        model.make_test_function(force=True)
        model.reset_metrics()
        return {f"val_{name}": [_mean(value)] for name, value in _flat(model.test_function(iter(given)))}


def _given(model: Any, batch: Any) -> Iterable[Any]:
    """The batch alone, as `fit` gives it to a step: under a strategy of several replicas each gets its part of the rows."""
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return [batch]
    rows = tf.data.Dataset.from_tensor_slices(keras.tree.lists_to_tuples(batch))  # of lists it would make one tensor
    given: Iterable[Any] = strategy.experimental_distribute_dataset(rows.batch(rows.cardinality()))
    return given


OF_TESTS = ("test_step", "compute_loss", "compute_metrics")
"""Methods of a model that decide what a test step does."""


def _own(model: Any, methods: Iterable[str]) -> bool:
    """Whether one of a model's methods is not Keras' own."""
    return any(getattr(type(model), one) is not getattr(keras.Model, one) or one in vars(model) for one in methods)


def put_random_state(entries: Iterable[Entry], random_state: RandomState) -> None:
    for entry in entries:
        if entry.key in random_state:
            write(entry.variable, random_state[entry.key])


class Run:
    """One run of the resumed steps: what was logged, and every variable after the last."""

    def __init__(self) -> None:
        self.logs: dict[str, list[float]] = {}
        self.finals: dict[str, Array] = {}
        self.moved_attributes: list[str] = []
        self.graphs: list[Graph] = []


def _flat(logs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Logs as `fit` gives them: those of a metric with several results are among the others, by their own names."""
    for name, value in logs.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value


def _mean(value: Any) -> float:
    return float(np.mean(np.asarray(value, dtype=np.float64)))


def log_of(look: Look, name: str, runs: list[Run]) -> Log:
    values = [np.array(run.logs.get(name, []), dtype=np.float64) for run in runs]
    noise = max((noise_between(values[0], again) for again in values[1:]), default=0.0)
    return Log(name=name, values=look.arrays.put(f"log/{name}", values[0]), noise=noise)


def final_of(look: Look, key: str, runs: list[Run]) -> tuple[Array | None, float]:
    """A variable after the last step, and the largest difference between the runs."""
    final, noise = runs[0].finals.get(key) if runs else None, 0.0
    for run in runs[1:]:
        again = run.finals[key]
        if final is not None and again.sha256 != final.sha256:
            one, other = look.arrays.kept[final.name], look.arrays.kept[again.name]
            sketched = final.kept is Kept.SKETCH
            noise = max(noise, float(np.abs(one - other).max(initial=0.0)) if sketched else noise_between(one, other))
        look.arrays.kept.pop(again.name, None)
    return final, noise


def _same_bits(one: Values, other: Values | None) -> bool:
    described = [{name: (v.dtype, v.shape, v.tobytes()) for name, v in values.items()} for values in (one, other or {})]
    return described[0] == described[1]


def named_outputs(tree: Any, prefix: str = "") -> Values:
    """Outputs by name: the keys of dicts, the positions in lists, "output" for one alone."""
    if isinstance(tree, dict):
        pairs = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, (list, tuple)):
        pairs = [(str(position), value) for position, value in enumerate(tree)]
    else:
        dense = tree.to_tensor() if hasattr(tree, "to_tensor") else tree  # ragged
        return {prefix or "output": plain(np.asarray(keras.ops.convert_to_numpy(dense)))}
    found: Values = {}
    for name, value in pairs:
        found.update(named_outputs(value, f"{prefix}/{name}" if prefix else name))
    return found
