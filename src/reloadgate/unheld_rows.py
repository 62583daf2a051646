"""Rows of what no artifact holds: state outside of Keras, what the graphs compute with, generators of the process."""

from collections.abc import Iterator

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import PREDICT, TRAIN_STEP, TRAINING, Group, Kind, Observation
from reloadgate.rows import Side, row_of


def unheld_rows(expected: Side, seen: Side, behaves_otherwise: bool, same_environment: bool) -> Iterator[Row]:
    """State that `call` uses and Keras does not track, and constants of the graph: they name the layer.

    Args:
        behaves_otherwise: whether a prediction or a resumed step differs. State that makes no difference there is noted; of what
            is computed otherwise the probe alone is the same.
        same_environment: another one may trace other graphs, and compute other constants.
    """
    computed = Outcome.CHANGED if behaves_otherwise else Outcome.UNCHECKED
    rows = [
        *_untracked(expected, seen, Outcome.CHANGED if behaves_otherwise else Outcome.NOTED),
        *_graphs(expected.observation, seen.observation, computed if same_environment else Outcome.NOTED),
        *_not_traced(expected.observation),
    ]
    yield from rows or [row_of(Group.STRUCTURE, "state that is not tracked", Outcome.SAME)]
    draws = dict.fromkeys((graph.layer, one) for graph in expected.observation.graphs for one in graph.random_operations)
    of_layers = {operation for layer, operation in draws if layer != TRAIN_STEP}
    for layer, operation in draws:
        if layer == TRAIN_STEP and operation in of_layers:
            continue  # the step calls the layers
        detail = (
            f"{operation} draws from TensorFlow's global generator, whose state nobody keeps: use keras.random with a "
            "SeedGenerator"
        )
        yield row_of(Group.RANDOM_STATE, f"{layer or 'model'}: {operation}", Outcome.LOST, detail=detail)
    for generator in sorted({*expected.observation.generators, *seen.observation.generators}):
        detail = f"training draws from `{generator}`, whose state nobody keeps: use keras.random with a SeedGenerator"
        yield row_of(Group.RANDOM_STATE, generator, Outcome.LOST, detail=detail)


def _untracked(expected: Side, seen: Side, outcome: Outcome) -> Iterator[Row]:
    then, now = ({v.key: v for v in side.observation.variables if v.kind is Kind.UNTRACKED} for side in (expected, seen))
    for key in sorted({*then, *now}):
        if key in then and key in now and then[key].value.sha256 == now[key].value.sha256:
            continue
        layer = key.split("/", 1)[1].rpartition("/")[0]
        if layer == TRAIN_STEP:
            detail = (
                f"the training steps move the variable {(then.get(key) or now[key]).path}, which Keras does not track: it is "
                "another after the reload, or gone. Make it with add_weight, in a layer or the model itself"
            )
            yield row_of(Group.STRUCTURE, key, Outcome.UNCHECKED, detail=detail)
            continue
        detail = (
            f"the layer {layer} uses the variable {(then.get(key) or now[key]).path}, which Keras does not track, so no artifact "
            "holds it: make it with add_weight, in an attribute that is set after super().__init__()"
        )
        yield row_of(Group.STRUCTURE, key, outcome, detail=detail)


def _not_traced(saved: Observation) -> Iterator[Row]:
    """Of Python that only runs eagerly, and under a distribution strategy, there is nothing to look into."""
    shown = {TRAIN_STEP if graph.layer == TRAIN_STEP else graph.mode for graph in saved.graphs}
    for wanted in (PREDICT, TRAIN_STEP) if saved.logs else (PREDICT,):
        if wanted not in shown:
            detail = "no graph of it was traced when the model was saved: what the probe's rows do not reach is not looked into"
            yield row_of(Group.STRUCTURE, wanted, Outcome.NOTED, detail=detail)


def _graphs(expected: Observation, seen: Observation, outcome: Outcome) -> Iterator[Row]:
    unseen = ". On the probe that makes no difference; on other rows it may" if outcome is Outcome.UNCHECKED else ""
    found = set[str]()
    for mode in (TRAINING, PREDICT):
        then, now = ({graph.layer: graph for graph in side.graphs if graph.mode == mode} for side in (expected, seen))
        if TRAIN_STEP not in then:  # nothing to hold it against
            now.pop(TRAIN_STEP, None)
        if then and not now:
            detail = f"what the model does in the mode `{mode}` was traced in the training process, and cannot be traced"
            yield row_of(Group.STRUCTURE, f"graphs of {mode}", Outcome.UNCHECKED, detail=detail)
            continue
        for layer in sorted({*then, *now} if then else (), key=lambda layer: (layer == TRAIN_STEP, layer)):
            # A layer that computes nothing is not there.
            one, other = then.get(layer), now.get(layer)
            what = next((w for w in ("operations", "constants") if getattr(one, w, None) != getattr(other, w, None)), None)
            if what is None or layer in found or (layer == TRAIN_STEP and found):
                continue
            found.add(layer)
            name = TRAIN_STEP if layer == TRAIN_STEP else f"layer {layer}" if layer else "model"
            its = "the loss, the optimizer, a constraint or `train_step`" if layer == TRAIN_STEP else "its `call`"
            if mode == PREDICT and not layer:
                its = "its `call` or `predict_step`"
            detail = (
                f"the {name} computes with other {what} than in the training process: something that {its} depends on is "
                f"neither a weight nor in a configuration{unseen}"
            )
            yield row_of(Group.STRUCTURE, f"{layer or 'model'} {what}", outcome, detail=detail)
