"""Compile settings: what the model is trained for."""

from collections.abc import Callable
from typing import Any

from reloadgate.drill.contents import configuration
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.configuring import Node, objects_of
from reloadgate.drill.damages.damage import Declared
from reloadgate.drill.trials import Area

DAMAGES = damage = Declared(Area.COMPILING, resuming=True)

SAME_TARGETS = {
    "MeanSquaredError": "MeanAbsoluteError",
    "MeanAbsoluteError": "MeanSquaredError",
    "Huber": "MeanSquaredError",
    "SparseCategoricalCrossentropy": "Poisson",
    "CategoricalCrossentropy": "KLDivergence",
    "BinaryCrossentropy": "MeanSquaredError",
}
"""Losses that take the same targets: nothing fails, and training goes another way."""


def _compiled(change: Callable[[Node], None]) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        with configuration(copy) as config:
            if not isinstance(config.get("compile_config"), dict) or not config["compile_config"]:
                raise DoesNotApplyError("it holds no compile settings")
            change(config["compile_config"])

    return apply


@damage("uncompiled", "saved before it was compiled, or loaded with compile=False and saved again", "1.3")
def _uncompiled(copy: Copy) -> None:
    with configuration(copy) as config:
        if not config.pop("compile_config", None):
            raise DoesNotApplyError("it holds no compile settings")


def _losses(compiled: Node) -> list[tuple[Any, Any]]:
    """Containers and keys of all losses."""
    loss = compiled.get("loss")
    if isinstance(loss, dict) and "class_name" not in loss:
        return [(loss, key) for key in loss]
    if isinstance(loss, list):
        return [(loss, number) for number in range(len(loss))]
    return [(compiled, "loss")] if loss is not None else []


@damage("another loss", "the loss of the script that loads", "1.4")
@_compiled
def _other_loss(compiled: Node) -> None:
    found = _losses(compiled)
    if not found:
        raise DoesNotApplyError("it is compiled without a loss")
    container, key = found[0]
    loss = container[key]
    if isinstance(loss, dict):
        container[key] = {
            **loss, "class_name": SAME_TARGETS.get(loss["class_name"], "MeanSquaredError"), "module": "keras.losses",
            "config": {}, "registered_name": None,
        }  # fmt: skip
    else:
        container[key] = "mean_absolute_error" if loss != "mean_absolute_error" else "mean_squared_error"


def _loss_setting(name: str, change: Callable[[Any], Any], imitates: str) -> None:
    @damage(f"a loss has another {name}", imitates, "1.3")
    @_compiled
    def _other(compiled: Node) -> None:
        for loss in objects_of(compiled.get("loss")):
            if name in loss["config"]:
                loss["config"][name] = change(loss["config"][name])
                return
        raise DoesNotApplyError(f"none of its losses has a {name}")


_loss_setting("from_logits", lambda given: not given, "a loss made again with its defaults takes logits for probabilities")
_loss_setting("reduction", lambda given: "sum" if given != "sum" else "mean", "a reduction is at its default again")
_loss_setting("label_smoothing", lambda given: (given or 0.0) + 0.1, "what regularizes a loss is forgotten")
_loss_setting("ignore_class", lambda given: 0 if given is None else None, "what a loss leaves out is forgotten")


def _lost(name: str, imitates: str) -> None:
    @damage(f"{name.replace('_', ' ')} are lost", imitates, "1.4")
    @_compiled
    def _without(compiled: Node) -> None:
        if not compiled.get(name):
            raise DoesNotApplyError(f"it is compiled without {name.replace('_', ' ')}")
        compiled[name] = None


_lost("metrics", "compiled again without its metrics")
_lost("weighted_metrics", "compiled again without its metrics")
_lost("loss_weights", "compiled again without what balances the outputs")


@damage("loss weights are swapped", "weights of losses are given by position", "1.4")
@_compiled
def _swapped(compiled: Node) -> None:
    given = compiled.get("loss_weights")
    values = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(values, list) or len(set(values)) < 2:
        raise DoesNotApplyError("it has no loss weights that differ")
    compiled["loss_weights"] = dict(zip(given, values[::-1], strict=True)) if isinstance(given, dict) else values[::-1]


def _switch(name: str, change: Callable[[Any], Any], imitates: str) -> None:
    @damage(f"{name} is another", imitates, "1.4")
    @_compiled
    def _other(compiled: Node) -> None:
        if name not in compiled:
            raise DoesNotApplyError(f"its compile settings say nothing of {name}")
        compiled[name] = change(compiled[name])


_switch("run_eagerly", lambda given: not given, "a switch for debugging stays on: eager steps give other bits")
_switch("jit_compile", lambda given: not given, "compiled by XLA or not: other bits")
_switch("steps_per_execution", lambda given: (given or 1) + 1, "several steps at once: callbacks see other numbers")
