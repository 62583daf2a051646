"""An optimizer that does not go on from where it was: its state, and its settings."""

from collections.abc import Callable
from typing import Any

import numpy as np

from reloadgate.drill.contents import Held, configuration, held, later, moved
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.configuring import Node, objects_of
from reloadgate.drill.damages.damage import Declared
from reloadgate.drill.damages.values import one, rounded_to, ulp
from reloadgate.drill.tensors import Values
from reloadgate.drill.trials import Area
from reloadgate.evidence import Kind, Variable

DAMAGES = damage = Declared(Area.OPTIMIZER, resuming=True)

COUNTER, RATE, SCALE = "iteration", "learning_rate", ("step_counter", "dynamic_scale")


def _last(variable: Variable) -> str:
    return variable.path.rsplit("/", 1)[-1]


def _is_slot(variable: Variable) -> bool:
    """A slot that belongs to a variable, not one of the optimizer's own numbers."""
    return variable.kind is Kind.SLOT and _last(variable) not in (COUNTER, "iterations", RATE, *SCALE)


def _slots(variables: Held) -> list[Variable]:
    return variables.of(_is_slot, "slot: its optimizer keeps no state of variables")


def _groups(variables: Held) -> list[str]:
    """The HDF5 groups of the outermost optimizers."""
    slots = variables.of(lambda v: v.kind is Kind.SLOT, "state of an optimizer")
    return list(dict.fromkeys(variables.name(slot.key).split("/")[0] for slot in slots))


@damage("the group is missing", "weights alone are saved, or the optimizer was not tracked", "1.3")
def _no_group(copy: Copy) -> None:
    with held(copy) as variables:
        for group in _groups(variables):
            del variables.file[group]


@damage("the group is empty", "the model is compiled, and saved before its optimizer is built", "2.1")
def _empty(copy: Copy) -> None:
    with held(copy) as variables:
        for slot in variables.of(lambda v: v.kind is Kind.SLOT, "state of an optimizer"):
            del variables.file[variables.name(slot.key)]


@damage("one slot is missing", "a layer was added, or unfrozen, after the optimizer was built", "Keras: optimizers")
def _one_missing(copy: Copy) -> None:
    with held(copy) as variables:
        del variables.file[variables.name(_slots(variables)[-1].key)]


def _on_slots(change: Callable[[Values], Values], first: bool = False) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        with held(copy) as variables:
            for slot in _slots(variables)[: 1 if first else None]:
                variables[slot.key] = change(variables[slot.key])

    return apply


damage("all slots are zeroed", "the optimizer is built anew, and its slots start at zero", "1.3")(_on_slots(np.zeros_like))
damage("one slot is zeroed", "one slot was not restored", "1.3")(_on_slots(np.zeros_like, first=True))
damage("one slot by one ULP", "state goes through text or another precision", "2.2")(_on_slots(one(ulp), first=True))
damage("slots cast to float16 and back", "a checkpoint in half precision", "2.2")(_on_slots(rounded_to("float16")))


@damage("one place of a slot that is stored twice", "of an optimizer within another Keras stores all twice", "Keras: optimizers")
def _one_place(copy: Copy) -> None:
    with held(copy) as variables:
        for slot in _slots(variables):
            if variables.is_twice(slot.key):
                variables.put(slot.key, 0, variables[slot.key] * 2)
                return
        raise DoesNotApplyError("it stores no slot twice")


@damage("two slots are swapped", "slots are restored by position, and variables come in another order", "1.4")
def _swapped(copy: Copy) -> None:
    with held(copy) as variables:
        variables.swap(_slots(variables))


@damage("slots of another moment", "optimizer and weights are of two saves", "Files: generations")
def _stale(copy: Copy) -> None:
    with held(copy) as variables:
        for slot in variables.of(lambda v: _is_slot(v) and moved(v), "slot that the recorded steps moved and that is kept whole"):
            variables[slot.key] = later(copy, slot)


def _on_number(names: tuple[str, ...], lacking: str, change: Callable[[Values], Values]) -> Callable[[Copy], None]:
    """Change the optimizer's own numbers of these names."""

    def apply(copy: Copy) -> None:
        with held(copy) as variables:
            for number in variables.of(lambda v: v.kind is Kind.SLOT and _last(v) in names, lacking):
                variables[number.key] = np.asarray(change(variables[number.key]), variables[number.key].dtype)

    return apply


for _what, _change in (("one too many", lambda n: n + 1), ("one too few", lambda n: n - 1), ("reset", lambda n: n * 0)):
    damage(f"iterations are {_what}", "bias correction and schedules go by it", "1.3")(
        _on_number((COUNTER, "iterations"), "iterations", _change)
    )
damage("the learning rate's variable is another", "a callback had changed the rate, and its change is lost", "Keras: optimizers")(
    _on_number((RATE,), "variable of its learning rate: a schedule gives it", lambda rate: rate * 2)
)
damage("the loss scale is reset", "a loss scale starts again at its first value", "Keras: optimizers")(
    _on_number(SCALE, "loss scale", lambda value: value * 0 + (1 if value.dtype.kind == "i" else 32768 * 2))
)


# Settings


def _settings(config: Node) -> Node:
    """The serialized optimizer: of two, one within the other, the inner one; of several, that of the variables left over."""
    compiled = config.get("compile_config")
    optimizer = compiled.get("optimizer") if isinstance(compiled, dict) else None
    if not isinstance(optimizer, dict):
        raise DoesNotApplyError("it holds no compile settings with an optimizer")
    optimizer = optimizer["config"].get("inner_optimizer") or optimizer
    several = optimizer["config"].get("optimizer_map")
    return several["config"].get("default_optimizer") or optimizer if isinstance(several, dict) else optimizer


def _on_settings(change: Callable[[Node], None]) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        with configuration(copy) as config:
            change(_settings(config))

    return apply


@damage("another class", "a .h5 written before a .keras leaves RMSprop in place of Adam", "Keras: optimizers")
@_on_settings
def _other_class(optimizer: Node) -> None:
    optimizer["class_name"] = "Adagrad" if optimizer["class_name"] != "Adagrad" else "RMSprop"
    optimizer["config"] = {key: optimizer["config"][key] for key in ("name", "learning_rate") if key in optimizer["config"]}


@damage("a sibling's class", "state of one optimizer loads silently into another with as many variables", "Keras: optimizers")
@_on_settings
def _sibling_class(optimizer: Node) -> None:
    siblings = {"Adam": "AdamW", "AdamW": "Adam", "RMSprop": "Adagrad", "SGD": "Adagrad"}
    if optimizer["class_name"] not in siblings:
        raise DoesNotApplyError(f"no optimizer with the same slots is known for {optimizer['class_name']}")
    optimizer["class_name"] = siblings[optimizer["class_name"]]
    kept = ("name", "learning_rate", "use_ema", "ema_momentum")
    optimizer["config"] = {key: value for key, value in optimizer["config"].items() if key in kept}


@damage("another learning rate", "the rate of the script that loads, not of the run", "Keras: optimizers")
@_on_settings
def _other_rate(optimizer: Node) -> None:
    rate = optimizer["config"].get("learning_rate")
    if isinstance(rate, dict):
        rates = [key for key in rate["config"] if "learning_rate" in key]
        if not rates:
            raise DoesNotApplyError("its schedule has no rate to begin with")
        rate["config"][rates[0]] *= 2
    else:
        optimizer["config"]["learning_rate"] = rate * 2


@damage("the schedule is dropped", "a schedule is lost when compiling again", "1.4")
@_on_settings
def _no_schedule(optimizer: Node) -> None:
    _schedule(optimizer)
    optimizer["config"]["learning_rate"] = 0.001


@damage("the schedule is longer", "the schedule of a run with other epochs", "1.4")
@_on_settings
def _longer(optimizer: Node) -> None:
    settings = _schedule(optimizer)["config"]
    steps = [key for key in settings if key.endswith("steps") and isinstance(settings[key], int)]
    if not steps:
        raise DoesNotApplyError("its schedule goes by no number of steps")
    settings[steps[0]] *= 2


def _schedule(optimizer: Node) -> Node:
    rate = optimizer["config"].get("learning_rate")
    if not isinstance(rate, dict):
        raise DoesNotApplyError("its learning rate follows no schedule")
    return rate


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value * 0.5
    return value + 1 if isinstance(value, int) else None


def _one_setting(name: str, imitates: str, where: str) -> None:
    @damage(f"{name} is another", imitates, where)
    @_on_settings
    def _other(optimizer: Node) -> None:
        if optimizer["config"].get(name) in (None, {}):
            raise DoesNotApplyError(f"{optimizer['class_name']} has no {name} set")
        optimizer["config"][name] = _another(optimizer["config"][name])


for _name in ("beta_1", "beta_2", "rho", "momentum", "epsilon", "ema_momentum"):
    _one_setting(_name, "settings are typed again in the script that loads", "1.4")
for _name in ("nesterov", "amsgrad", "centered", "use_ema"):
    _one_setting(_name, "a switch is at its default again", "1.4")
for _name in ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "gradient_accumulation_steps"):
    _one_setting(_name, "what keeps training steady is forgotten", "Keras: optimizers")


@damage("the averages are dropped", "EMA: which weights are in the file depends on when it was saved", "Keras: optimizers")
def _no_average(copy: Copy) -> None:
    with held(copy) as variables:
        for slot in variables.of(lambda v: v.kind is Kind.SLOT and _last(v).endswith("_average"), "averaged weights"):
            variables[slot.key] = np.zeros_like(variables[slot.key])


@damage("the loss scale is dropped", "a mixed precision model without what scales its loss", "Keras: optimizers")
def _no_scale(copy: Copy) -> None:
    with configuration(copy) as config:
        inner = next((o for o in objects_of(config.get("compile_config")) if "inner_optimizer" in o["config"]), None)
        if inner is None:
            raise DoesNotApplyError("its optimizer has none within it")
        config["compile_config"]["optimizer"] = inner["config"]["inner_optimizer"]
