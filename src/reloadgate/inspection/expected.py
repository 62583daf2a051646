"""What a configuration says that the weights hold: the groups of its layers, and their shapes where Keras' rule is simple."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from reloadgate.inspection.declared import classes, stored_as
from reloadgate.inspection.documents import walk
from reloadgate.nouns import noun
from reloadgate.text import snake_case

Shape = tuple[int, ...]
CONTAINERS = {("keras", "Sequential"), ("keras.models", "Sequential"), ("keras.src.models.functional", "Functional"),
              ("keras.src.models.sequential", "Sequential"), (None, "Sequential"), (None, "Functional")}  # fmt: skip
VARIABLE_DTYPES = {"mixed_float16": "float32", "mixed_bfloat16": "float32"}
PLAIN_DTYPES = {"float16", "bfloat16", "float32", "float64"}
WITH_WEIGHTS = {
    "Dense", "EinsumDense", "Embedding", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose",
    "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "BatchNormalization", "LSTM", "GRU", "SimpleRNN",
    "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "MultiHeadAttention", "GroupQueryAttention", "PReLU",
}  # fmt: skip
"""Layers that have variables once they are built."""


@noun
class Expected:
    """One layer of a configuration, and where its variables are stored."""

    group: str
    config: dict[str, Any]
    """The layer's dict of the configuration."""
    shared: bool
    """It is used in several places, and stored in one of them."""

    @property
    def kerass(self) -> bool:
        """Whether everything in it is Keras' own, so that Keras' rules hold for it."""
        objects = (v for _, v in walk(self.config) if isinstance(v, dict) and isinstance(v.get("module"), str))
        return all((one["module"], one.get("class_name")) in classes() for one in objects if one.get("class_name") != "function")

    @property
    def changed(self) -> bool:
        """Quantised or with low-rank factors: its variables are not those of its class."""
        own = own_config(self.config)
        return bool(own.get("lora_rank") or own.get("quantization_config") or policy_dtype(own.get("dtype")) is None)


def layers_of(root: dict[str, Any], prefix: str = "") -> Iterator[Expected]:
    """Every layer that is stored by its place in a Sequential or Functional model, nested models opened."""
    used: Counter[str] = Counter()
    own = own_config(root)
    layers = own.get("layers")
    for one in layers if isinstance(layers, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("class_name"), str):
            continue
        name, module = str(one["class_name"]), one.get("module")
        if isinstance(module, str) and module.startswith("keras.src.ops."):
            continue  # an operation, which holds nothing
        if name == "InputLayer" and root["class_name"] == "Sequential":
            continue
        snake = snake_case(stored_as().get(name, name))
        group = f"{prefix}layers/{snake}" + (f"_{used[snake]}" if used[snake] else "")
        used[snake] += 1
        if (module, name) in CONTAINERS:
            yield from layers_of(one, group + "/")
        else:
            yield Expected(group=group, config=one, shared="shared_object_id" in one)


def is_container(root: dict[str, Any]) -> bool:
    return (root.get("module"), root.get("class_name")) in CONTAINERS


def policy_dtype(policy: Any) -> str | None:
    """The dtype of the variables of a plain policy; None of a quantised or unknown one."""
    if isinstance(policy, dict):
        policy = own_config(policy).get("name") if policy.get("class_name") in ("DTypePolicy", "FloatDTypePolicy") else None
    name = VARIABLE_DTYPES.get(policy, policy) if isinstance(policy, str) else None
    return name if name in PLAIN_DTYPES else None


def dtypes_in(config: dict[str, Any]) -> set[str]:
    """Dtypes of variables that a layer's configuration names, those of the layers inside it included."""
    found = {policy_dtype(value.get("dtype")) for _, value in walk(config) if isinstance(value, dict) and "dtype" in value}
    return {dtype for dtype in found if dtype}


def is_plain(config: dict[str, Any]) -> bool:
    """Whether nothing in it is quantised."""
    return all(
        policy_dtype(value["dtype"]) is not None
        for _, value in walk(config)
        if isinstance(value, dict) and isinstance(value.get("dtype"), dict)
    )


def shapes_of(layer: Expected) -> list[Shape] | None:
    """Shapes of the layer's own variables, in the order in which they are stored; None where they are not known."""
    config, build = own_config(layer.config), layer.config.get("build_config")
    shape = build.get("input_shape") if isinstance(build, dict) else None
    rule = _RULES.get(layer.config["class_name"])
    if rule is None or layer.changed or not isinstance(shape, list) or not shape or not layer.kerass:
        return None
    try:
        return [one for one in rule(config, shape) if one is not None]
    except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError):
        return None


def own_config(value: dict[str, Any]) -> dict[str, Any]:
    """The configuration of an object; empty where it is none."""
    config = value.get("config")
    return config if isinstance(config, dict) else {}


Rule = Callable[[dict[str, Any], list[Any]], list[Shape | None]]


def _dense(config: dict[str, Any], shape: list[Any]) -> list[Shape | None]:
    return [(_size(shape[-1]), _size(config["units"])), (_size(config["units"]),) if config["use_bias"] else None]


def _embedding(config: dict[str, Any], shape: list[Any]) -> list[Shape | None]:
    return [(_size(config["input_dim"]), _size(config["output_dim"]))]


def _convolution(config: dict[str, Any], shape: list[Any]) -> list[Shape | None]:
    kernel, filters = tuple(map(_size, config["kernel_size"])), _size(config["filters"])
    return [(*kernel, _channels(config, shape) // config["groups"], filters), (filters,) if config["use_bias"] else None]


def _transposed(config: dict[str, Any], shape: list[Any]) -> list[Shape | None]:
    kernel, filters = tuple(map(_size, config["kernel_size"])), _size(config["filters"])
    return [(*kernel, filters, _channels(config, shape)), (filters,) if config["use_bias"] else None]


def _depthwise(config: dict[str, Any], shape: list[Any]) -> list[Shape | None]:
    kernel, channels, times = (
        tuple(map(_size, config["kernel_size"])),
        _channels(config, shape),
        _size(config["depth_multiplier"]),
    )
    return [(*kernel, channels, times), (channels * times,) if config["use_bias"] else None]


def _batch_normalization(config: dict[str, Any], shape: list[Any]) -> list[Shape | None]:
    if config.get("renorm"):
        raise ValueError("more variables than those")
    axis = config["axis"][0] if isinstance(config["axis"], list) else config["axis"]
    size = (_size(shape[axis]),)
    return [size if config["scale"] else None, size if config["center"] else None, size, size]


def _channels(config: dict[str, Any], shape: list[Any]) -> int:
    return _size(shape[1 if config["data_format"] == "channels_first" else -1])


def _size(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no size")
    return value


_RULES: dict[str, Rule] = {
    "Dense": _dense,
    "Embedding": _embedding,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _convolution),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    "BatchNormalization": _batch_normalization,
}
