"""A configuration that makes another model of the same weights."""

from collections.abc import Callable
from typing import Any

from reloadgate.drill.contents import configuration
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.configuring import layers_of, objects_of
from reloadgate.drill.damages.damage import Declared
from reloadgate.drill.trials import Area
from reloadgate.evidence import Capability

DAMAGES = damage = Declared(Area.CONFIGURATION)


SMOOTH = {"relu": "gelu", "tanh": "sigmoid", "gelu": "relu", "linear": "relu", "softmax": "sigmoid", "sigmoid": "tanh"}
"""An activation in place of another: the variables are the same."""

FORGOTTEN = ("an argument is missing from an overridden get_config", "Keras: get_config")
DEFAULT = ("a default in place of what was given", "Keras: get_config")
RELEASED = ("a default that changed between releases", "1.6")
EDITED = ("the code changed after the weights were saved", "1.6")

Change = Callable[[Any], Any]


def _text(change: Change) -> Change:
    return lambda given: change(given) if isinstance(given, str) else given


def _number(change: Change) -> Change:
    return lambda given: change(given) if isinstance(given, float) else given


def _switched(given: Any) -> Any:
    return not given if isinstance(given, bool) else given


def _turned(given: Any) -> Any:
    return given[::-1] if isinstance(given, list) else given


SETTINGS: tuple[tuple[str, str, Change, tuple[str, str], tuple[str, ...]], ...] = (
    # what happens, the setting, what it becomes, why and where, parts of the names of the classes that it is about
    ("another activation", "activation", _text(lambda name: SMOOTH.get(name, "relu")), ("a function with the name of a built-in "
     "resolves to that", "Keras: get_config"), ()),
    ("another recurrent activation", "recurrent_activation", _text(lambda name: "hard_sigmoid"), RELEASED, ()),
    ("another epsilon", "epsilon", _number(lambda given: given * 10), RELEASED, ()),
    ("another slope", "negative_slope", _number(lambda given: given + 0.1), FORGOTTEN, ()),
    ("another padding", "padding", _text(lambda name: {"same": "valid", "valid": "same"}.get(name, name)), DEFAULT, ()),
    ("masking off", "mask_zero", _switched, DEFAULT, ("Embedding",)),
    ("the sequence is read backwards", "go_backwards", _switched, DEFAULT, ()),
    ("the whole sequence in place of its end", "return_sequences", _switched, DEFAULT, ()),
    ("cropping from the other side", "cropping", _turned, ("arguments are given by position", "Keras: get_config"), ()),
    ("another merge of directions", "merge_mode", _text(lambda name: "sum" if name != "sum" else "ave"), DEFAULT, ()),
    ("without bias", "use_bias", _switched, EDITED, ()),
    ("another size", "units", lambda given: given + 1, EDITED, ()),
)  # fmt: skip

TRAINING_SETTINGS: tuple[tuple[str, str, Change, tuple[str, str], tuple[str, ...]], ...] = (
    ("another dropout rate", "rate", _number(lambda rate: rate / 2 + 0.01), FORGOTTEN, ()),
    (
        "dropout off",
        "rate",
        _number(lambda rate: 0.0),
        ("a model made ready for serving takes its place", "Keras: get_config"),
        (),
    ),
    ("another momentum of statistics", "momentum", _number(lambda given: given * 0.9), DEFAULT, ("Normalization",)),
    ("a layer is frozen", "trainable", _switched, ("attributes are changed after construction", "Keras: get_config"), ("Dense",)),
    (
        "another name",
        "name",
        _text(lambda name: f"{name}_1"),
        ("names are how others find a layer", "3.2"),
        ("Dense", "GRU", "LSTM", "Conv"),
    ),
    ("another initializer", "kernel_initializer", lambda given: "zeros", FORGOTTEN, ()),
)
"""What an artifact that can only infer may have otherwise: training sees it, or those who look for a layer in the model."""


def _declare(name: str, setting: str, change: Change, why: tuple[str, str], classes: tuple[str, ...], training: bool) -> None:
    """The first layer that has the setting, and of which the change makes something else, is given another."""

    @damage(name, *why, resuming=training)
    def _other(copy: Copy) -> None:
        with configuration(copy) as config:
            for layer in layers_of(config):
                given = layer["config"].get(setting)
                wanted = not classes or any(part in layer["class_name"] for part in classes)
                if wanted and given is not None and (other := change(given)) != given:
                    layer["config"][setting] = other
                    return
        raise DoesNotApplyError(f"none of its layers has such a setting as {setting}")


for _settings, _training in ((SETTINGS, False), (TRAINING_SETTINGS, True)):
    for _setting in _settings:
        _declare(*_setting, training=_training)


@damage("a constraint is dropped", "constraints are forgotten when a layer is made again", "Keras: get_config", resuming=True)
def _no_constraint(copy: Copy) -> None:
    _forget(copy, "constraint")


@damage("a regularizer is dropped", "regularizers are forgotten when a layer is made again", "Keras: get_config", resuming=True)
def _no_regularizer(copy: Copy) -> None:
    _forget(copy, "regularizer")


def _forget(copy: Copy, what: str) -> None:
    with configuration(copy) as config:
        for layer in layers_of(config):
            for key, given in layer["config"].items():
                if key.endswith(what) and given is not None:
                    layer["config"][key] = None
                    return
    raise DoesNotApplyError(f"none of its layers has a {what}")


@damage("a regularizer is added", "the code changed between two runs", "1.6", resuming=True)
def _regularized(copy: Copy) -> None:
    with configuration(copy) as config:
        for layer in layers_of(config):
            if layer["config"].get("kernel_regularizer", 0) is None:
                layer["config"]["kernel_regularizer"] = {
                    "module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.01}, "registered_name": None,
                }  # fmt: skip
                return
    raise DoesNotApplyError("none of its layers can take a kernel's regularizer")


@damage(
    "a layer computes in another precision",
    "a mixed precision model without its policy, or the other way round",
    "Keras: dtype policy",
)
def _precision(copy: Copy) -> None:
    with configuration(copy) as config:
        for layer in layers_of(config):
            policy = layer["config"].get("dtype")
            if layer["class_name"] in ("Dense", "GRU", "LSTM", "Conv2D", "Prototypes") and isinstance(policy, dict):
                mixed = policy["config"]["name"] != "float32"
                layer["config"]["dtype"] = {**policy, "config": {"name": "float32" if mixed else "mixed_bfloat16"}}
                return
    raise DoesNotApplyError("none of its layers computes under a policy of its own")


@damage("an argument of a custom class is another", "an argument is missing from an overridden get_config", "Keras: get_config")
def _custom(copy: Copy) -> None:
    with configuration(copy) as config:
        for node in objects_of(config):
            if node.get("registered_name") in (None, node["class_name"]) and node.get("module") in (None, "builtins"):
                continue
            if str(node.get("module")).split(".")[0] == "keras":
                continue
            for key, given in node["config"].items():
                if isinstance(given, float):
                    node["config"][key] = given * 2
                    return
    raise DoesNotApplyError("it has no custom class with a number among its arguments")


@damage("a layer without variables is lost", "layers in containers that are not tracked", "2.3")
def _no_layer(copy: Copy) -> None:
    with configuration(copy) as config:
        layers = config["config"].get("layers", []) if config.get("class_name") == "Sequential" else []
        for layer in layers:
            unseen = layer["class_name"] == "Dropout" and copy.artifact.capability is Capability.INFER
            if layer["class_name"] in ("Dropout", "Activation", "Rescaling", "Flatten", "LeakyReLU") and not unseen:
                layers.remove(layer)
                return
    raise DoesNotApplyError("it is no Sequential with a layer that has no variables")


@damage("inputs of a layer in another order", "a dict or a set is gone through in another order", "3.4")
def _inputs(copy: Copy) -> None:
    with configuration(copy) as config:
        for layer in objects_of(config):
            for node in layer.get("inbound_nodes") or []:
                given = node.get("args") if isinstance(node, dict) else None
                if given and isinstance(given[0], list) and len(given[0]) > 1:
                    given[0].reverse()
                    return
    raise DoesNotApplyError("none of its layers has several inputs")


@damage("outputs in another order", "a dict or a set is gone through in another order", "3.4")
def _outputs(copy: Copy) -> None:
    with configuration(copy) as config:
        outputs = config["config"].get("output_layers")
        if isinstance(outputs, dict) and len(outputs) > 1:
            config["config"]["output_layers"] = dict(zip(outputs, reversed(outputs.values()), strict=True))
        elif isinstance(outputs, list) and len(outputs) > 1 and all(isinstance(one, list) for one in outputs):
            outputs.reverse()
        else:
            raise DoesNotApplyError("it has one output")


@damage("a class that nobody knows", "custom objects are not registered where the model is loaded", "1.2")
def _unknown(copy: Copy) -> None:
    with configuration(copy) as config:
        layer = next(iter(layers_of(config)), None)
        if layer is None:
            raise DoesNotApplyError("its configuration names no layer")
        layer["class_name"], layer["module"], layer["registered_name"] = "Forgotten", None, "acme>Forgotten"
