"""For the formats that hold no architecture: a model from the user's builder, in which nothing is right yet."""

import contextlib
from typing import Any

from reloadgate.errors import UsageError
from reloadgate.evidence import Recipe
from reloadgate.formats.own import imported


def built(recipe: Recipe, inputs: Any) -> Any:
    """The builder's model, built, its optimizer built, and every variable overwritten with a value that cannot be right.

    A builder that seeds makes variables that are equal without any file being read: what a file does not hold must show.

    Args:
        inputs: one batch, for a model that is built by its first call; None where there is none.

    Raises:
        UsageError: no builder was recorded, or what it returns is no built `keras.Model`.
    """
    import keras

    if recipe.builder is None:
        raise UsageError('this format holds no architecture, and no builder was recorded: record(..., builder="module:function")')
    model = imported(recipe.builder)()
    if not isinstance(model, keras.Model):
        raise UsageError(f"the builder {recipe.builder} returned {type(model).__name__}, not a keras.Model")
    build_layers(model, inputs)
    if not model.built:
        raise UsageError(
            f"the builder {recipe.builder} returned a model that is not built: call it once on a batch, or record a probe"
        )
    build_optimizer(model)
    _overwrite(model, getattr(model, "optimizer", None))
    return model


def build_layers(model: Any, inputs: Any) -> None:
    """Give the layers their variables where they have none yet, by a call on one batch; None where there is none."""
    if inputs is not None and not all(layer.built for layer in model._flatten_layers()):
        model(inputs, training=False)


def build_optimizer(model: Any) -> None:
    """Give the optimizer its slots where it has none yet, under the distribution strategy of the variables.

    Where the model trains with others that its own `compile` takes, Keras' default beside them is left as it is: its
    `compile_from_config` would not build it.
    """
    import keras
    import tensorflow as tf

    optimizer, variables = getattr(model, "optimizer", None), model.trainable_variables
    if optimizer is None or optimizer.built:
        return
    others = [one for one in vars(model).values() if isinstance(one, keras.optimizers.Optimizer) and one is not optimizer]
    if type(model).compile_from_config is not keras.Model.compile_from_config and any(other.built for other in others):
        return
    values = [getattr(variable, "_value", None) for variable in variables]
    mirrored = next((value for value in values if isinstance(value, tf.distribute.DistributedValues)), None)
    try:
        with mirrored.distribute_strategy.scope() if mirrored is not None else contextlib.nullcontext():
            optimizer.build(variables)
    except Exception:
        optimizer.built = False  # Keras says so before it makes the slots, and training would not make them any more
        raise


def _overwrite(model: Any, optimizer: Any) -> None:
    """NaN, the least integer: seed generators apart, which no format holds."""
    import keras
    import numpy as np

    seeds = {id(generator.state) for layer in model._flatten_layers() for generator in layer._seed_generators}
    for variable in [*model.variables, *(optimizer.variables if optimizer is not None else ())]:
        if id(variable) in seeds:
            continue
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if keras.backend.is_float_dtype(dtype):
            variable.assign(keras.ops.full(variable.shape, float("nan"), dtype=dtype))
        elif keras.backend.is_int_dtype(dtype):
            info = np.iinfo(dtype)
            variable.assign(keras.ops.full(variable.shape, info.min or info.max, dtype=dtype))
