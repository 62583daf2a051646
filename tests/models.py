"""Small models that fresh processes can build: named by tests as `builder` and `imports`."""

import random
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any

import keras
import numpy as np
from keras import layers

Batch = tuple[Any, Any]


def tf_function(method: Any) -> Any:
    import tensorflow as tf

    return tf.function(method)


def _numbers(columns: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(24, columns)).astype(np.float32)


def plain() -> keras.Model:
    """Statistics, dropout and slots, in a Sequential."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.BatchNormalization(name="statistics"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(1, name="answer"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


class NamedSequential(keras.Sequential):
    """A class for the sake of its name."""


def named_sequential() -> keras.Model:
    model = NamedSequential(plain().layers)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def recompiled() -> keras.Model:
    """Keras goes on with the metrics of the first `compile`, which no file tells of."""
    model = plain()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def branching() -> keras.Model:
    """Two inputs and two outputs by name, one layer shared."""
    one, other = keras.Input((4,), name="one"), keras.Input((4,), name="other")
    shared = layers.Dense(6, activation="tanh", name="shared")
    both = layers.Concatenate()([shared(one), shared(other)])
    outputs = {"amount": layers.Dense(1, name="amount")(both), "yes": layers.Dense(1, activation="sigmoid", name="yes")(both)}
    model = keras.Model({"one": one, "other": other}, outputs)
    model.compile(keras.optimizers.AdamW(0.01), {"amount": "mse", "yes": "binary_crossentropy"})
    return model


def huber(loss: Any = "huber") -> keras.Model:
    model = keras.Sequential([layers.Input((4,)), layers.Dense(2)])
    model.compile(optimizer="adam", loss=loss)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Subclassed(keras.Model):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hidden = layers.Dense(5, activation="tanh")
        self.answer = layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.answer(self.hidden(x))


class CallingOn(Subclassed):
    """With a test step of its own, which does what Keras' does."""

    def test_step(self, data: Any) -> Any:
        return super().test_step(data)


def branching_in_float64() -> keras.Model:
    return branching()


def paired() -> keras.Model:
    """Inputs and outputs in lists, in another order than their names have."""
    inputs = [keras.Input((4,), name="right"), keras.Input((4,), name="left")]
    both = layers.Concatenate()([layers.Dense(3)(inputs[0]), layers.Dense(2)(inputs[1])])
    model = keras.Model(inputs, [layers.Dense(1, name="second")(both), layers.Dense(1, name="first")(both)])
    model.compile(keras.optimizers.Adam(0.01), ["mse", "mae"])
    return model


def subclassed(kind: type[Subclassed] = Subclassed) -> keras.Model:
    """Built by its first call only."""
    model = kind()
    model.compile(keras.optimizers.RMSprop(0.01, momentum=0.9), "mse")
    return model


def listed() -> keras.Model:
    """One input in a list and of one dtype, which an export insists on and the model does not; a kernel that two layers hold, and
    Keras stores twice."""
    inputs = [keras.Input((4,))]
    hidden = layers.SpectralNormalization(layers.Dense(6, activation="tanh", name="hidden"))(inputs[0])
    model = keras.Model(inputs, [layers.Dense(1, name="answer")(hidden)])
    model.compile(keras.optimizers.Adam(0.01), ["mse"])
    return model


def words() -> keras.Model:
    """Text in, a vocabulary inside."""
    vectorization = layers.TextVectorization(max_tokens=8, output_sequence_length=4)
    vectorization.adapt(["a b c d e"])
    model = keras.Sequential(
        [keras.Input((), dtype="string"), vectorization, layers.Embedding(8, 4), layers.GRU(3), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class ToItself(layers.Layer):
    """Its loss is its own: there are no targets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.inner = layers.Dense(4)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)
        super().build(shape)

    def call(self, x: Any) -> Any:
        y = self.inner(x)
        self.add_loss(keras.ops.mean(keras.ops.square(x - y)))
        return y


def adding_loss() -> keras.Model:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ToItself()(inputs))
    model.compile("adam")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Unpacking(Subclassed):
    """A step of its own that takes two parts and no more, as Keras' guides write it."""

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True))
        return {"loss": loss}


def unpacking() -> keras.Model:
    model = Unpacking()
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Telling(layers.Layer):
    """Names in its configuration what it has learned so far."""

    def __init__(self, scale: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale = self.add_weight(shape=(), initializer=keras.initializers.Constant(scale), name="scale")

    def call(self, x: Any) -> Any:
        return x * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": float(self.scale.numpy())}


def telling() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), Telling(), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Two(keras.Model):
    """Two optimizers, neither of them `model.optimizer`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.maker, self.critic = layers.Dense(4), layers.Dense(1)
        self.makes, self.criticises = keras.optimizers.Adam(0.01), keras.optimizers.RMSprop(0.02)

    def build(self, shape: Any) -> None:
        for layer, optimizer in ((self.maker, self.makes), (self.critic, self.criticises)):
            layer.build((None, 4))
            optimizer.build(layer.trainable_variables)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.critic(self.maker(x))

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, _ = data
        with tf.GradientTape(persistent=True) as tape:
            made = tf.reduce_mean(tf.square(self(x)))
            seen = tf.reduce_mean(tf.square(self.critic(x) - 1.0))
        for layer, optimizer, loss in ((self.maker, self.makes, made), (self.critic, self.criticises, seen)):
            variables = layer.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {"made": made, "seen": seen}


def two() -> keras.Model:
    model = Two()
    model.build((None, 4))
    model.compile()
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class GivenTwo(Two):
    """Two optimizers that `compile` is given, beside Keras' default one that nobody uses."""

    def compile(self, makes: Any, criticises: Any) -> None:
        super().compile()
        self.makes, self.criticises = makes, criticises

    def get_compile_config(self) -> dict[str, Any]:
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in ("makes", "criticises")}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**{name: keras.saving.deserialize_keras_object(one) for name, one in config.items()})
        self.makes.build(self.maker.trainable_variables)
        self.criticises.build(self.critic.trainable_variables)


def given_two() -> keras.Model:
    model = GivenTwo()
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.RMSprop(0.02))
    model.build((None, 4))
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Results(keras.metrics.MeanAbsoluteError):
    """A metric with two results."""

    def result(self) -> dict[str, Any]:
        return {"once": super().result(), "twice": 2 * super().result()}


def results() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("adam", "mse", metrics=[Results()])
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Sampling(layers.Layer):
    """Draws whenever it is called, as a variational layer does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def sampling() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), Sampling(), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Label(layers.Layer):
    """Answers with text."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.gather(tf.constant(["no", "perhaps", "yes"]), tf.argmax(x, -1))

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape[:-1], dtype="string")


def labels() -> keras.Model:
    inputs = keras.Input((4,))
    scores = layers.Dense(3)(inputs)
    model = keras.Model(inputs, {"score": scores, "label": Label()(scores)})
    model.compile("adam", {"score": "mse"})
    return model


def eager() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


def mirrored() -> keras.Model:
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        return plain()


@keras.saving.register_keras_serializable("reloadgate_tests")
class Queueing(Unpacking):
    """Its steps move a variable that Keras does not track, and a checkpoint holds."""

    def __init__(self, **options: Any) -> None:
        import tensorflow as tf

        super().__init__(**options)
        self.queue = tf.Variable(tf.zeros((24, 1)), trainable=False)

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        logs = super().train_step((x, y + 0.1 * self.queue[: keras.ops.shape(x)[0]]))
        self.queue[: keras.ops.shape(x)[0]].assign(0.5 * self.queue[: keras.ops.shape(x)[0]] + 0.5 * self(x))
        return logs


def queueing() -> keras.Model:
    model = Queueing()
    model.compile(keras.optimizers.Adam(0.01))
    model(np.zeros((1, 4), np.float32))
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Scaling(Subclassed):
    """Only its test step uses what it is given."""

    def __init__(self, scale: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale = scale

    def test_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        return {"scaled": keras.ops.mean((self(x, training=False) / self.scale - y) ** 2)}

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale}


@keras.saving.register_keras_serializable("reloadgate_tests")
class Forgetting(Scaling):
    def get_config(self) -> dict[str, Any]:
        return {}


@keras.saving.register_keras_serializable("reloadgate_tests")
class Demanding(Scaling):
    def test_step(self, data: Any) -> dict[str, Any]:
        _x, _y, _weights = data
        return {}


def scaling(kind: type[Scaling] = Scaling) -> keras.Model:
    model = kind(scale=3.0)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Dropping(keras.optimizers.schedules.LearningRateSchedule):
    """It forgets when the rate drops, which is long after the resumed steps; and ends before a million of them."""

    def __init__(self, after: int = 10_000) -> None:
        self.after = after

    def __call__(self, step: Any) -> Any:
        import tensorflow as tf

        end = tf.gather(tf.zeros(200_000), step)
        return end + keras.ops.where(step < self.after, 0.01, 0.001)

    def get_config(self) -> dict[str, Any]:
        return {}


def dropping(after: int = 10_000, several: bool = False) -> keras.Model:
    """A schedule of the optimizer, or of one of several."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    optimizer: Any = keras.optimizers.SGD(Dropping(after))
    if several:
        optimizer = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(optimizer))
    model.compile(optimizer, "mse")
    return model


def several() -> keras.Model:
    """An optimizer for each layer; the running product of a Nadam is in no list of its variables."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, name="hidden"), layers.Dense(1, name="answer")])
    nadam, sgd = keras.optimizers.Nadam(0.01), keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(nadam, {".*hidden/.*": sgd})), "mse")
    return model


def transferred(trained: bool = True) -> keras.Model:
    """A head on a model that was trained by itself, and frozen."""
    base = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dense(2)])
    if trained:
        base.compile("adam", "mse")
        base.fit(_numbers(4), _numbers(2), verbose=0)
    base.trainable = False
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(base(inputs, training=False)))
    model.compile("adam", "mse")
    return model


def sharing() -> keras.Model:
    """Tensors, a small one and one that is too large for a constant, that several operations are given: later each its own."""
    few, many = keras.ops.convert_to_tensor([0.5, 1.0, 1.5, 2.0]), keras.ops.convert_to_tensor(_numbers(24))
    inputs = keras.Input((4,))
    hidden = layers.Dense(24)((inputs - few) / few)
    outputs = layers.Dense(1)(keras.ops.matmul(keras.ops.tanh(keras.ops.matmul(hidden, many)), many))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    return model


def head() -> keras.Model:
    """As a script that loads weights makes it: what the base was trained with is nobody's business any more."""
    return transferred(trained=False)


def in_policy(policy: str, loss_scale: bool = False) -> keras.Model:
    """As a script makes it that sets the policy of the whole process."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(1, dtype="float32")])
        adam = keras.optimizers.Adam(0.01)
        model.compile(keras.optimizers.LossScaleOptimizer(adam) if loss_scale else adam, "mse")
    finally:
        keras.config.set_dtype_policy(before)
    return model


def in_bfloat16() -> keras.Model:
    return in_policy("mixed_bfloat16")


def scaled_in_float16() -> keras.Model:
    return in_policy("mixed_float16", loss_scale=True)


@keras.saving.register_keras_serializable("reloadgate_tests")
class Summarising(Subclassed):
    """Its train step writes to where a training is watched, if somebody watches."""

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        logs = super().train_step(data)
        tf.summary.write("loss", logs["loss"], step=self.optimizer.iterations)
        return logs


def summarising() -> keras.Model:
    model = Summarising()
    model.compile("adam", "mse")
    return model


def _capped(x: Any, cap: float) -> Any:
    return keras.ops.clip(x, -cap, cap)


@keras.saving.register_keras_serializable("reloadgate_tests")
class CappedLayer(layers.Layer):
    """It forgets its numbers, as the others do their cap: the probe's are far from there."""

    def __init__(
        self, cap: float = 100.0, slope: float = 0.1, factor: float = 100.0, last: float = 100.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.cap, self.slope, self.factor = cap, slope, factor
        self.table = np.append(np.zeros(20_000, np.float32), np.float32(last))

    def call(self, x: Any) -> Any:
        x += keras.ops.take(keras.ops.convert_to_tensor(self.table), keras.ops.cast(keras.ops.abs(x), "int32"))
        x = keras.ops.cond(keras.ops.max(x) > 50.0, lambda: x / self.factor, lambda: x)
        return keras.ops.leaky_relu(_capped(x, self.cap) + 4.0, self.slope)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("reloadgate_tests")
class CappedLoss(keras.losses.Loss):
    def __init__(self, cap: float = 100.0, **options: Any) -> None:
        super().__init__(**options)
        self.cap = cap

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return _capped(y_true - y_pred, self.cap) ** 2

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("reloadgate_tests")
class CappedWeights(keras.constraints.Constraint):
    def __init__(self, cap: float = 100.0) -> None:
        self.cap = cap

    def __call__(self, value: Any) -> Any:
        return _capped(value, self.cap)

    def get_config(self) -> dict[str, Any]:
        return {}


@keras.saving.register_keras_serializable("reloadgate_tests")
class CappedSGD(keras.optimizers.SGD):
    def __init__(self, learning_rate: float = 0.01, cap: float = 100.0, **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self.cap = cap

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(_capped(gradient, self.cap), variable, learning_rate)


def capped(
    loss: float = 100.0, weights: float = 100.0, optimizer: float = 100.0, eagerly: bool = False, **numbers: float
) -> keras.Model:
    constraint = CappedWeights(weights)
    model = keras.Sequential([keras.Input((4,)), CappedLayer(**numbers), layers.Dense(1, kernel_constraint=constraint)])
    model.compile(CappedSGD(cap=optimizer), CappedLoss(loss), run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class TurningLayer(layers.Layer):
    """It forgets which number is taken from which where they are large, and which of two weights goes where: the probe's are not,
    and no attribute but a function tells."""

    def __init__(self, turned: bool = False, crossed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._difference = (lambda one, other: other - one) if turned else (lambda one, other: one - other)
        self._ordered = reversed if crossed else iter

    def build(self, shape: Any) -> None:
        self.low, self.high = (self.add_weight(shape=(), initializer="ones", name=name) for name in ("low", "high"))

    def call(self, x: Any) -> Any:
        largest, (low, high) = keras.ops.max(x), self._ordered((self.low, self.high))
        x = keras.ops.cond(largest > 50.0, lambda: keras.ops.exp(self._difference(x, 60.0)), lambda: x)
        return keras.ops.where(largest > 50.0, x * low - high, x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("reloadgate_tests")
class TurningLoss(keras.losses.Loss):
    """It forgets which of two functions comes first where the error is large."""

    def __init__(self, turned: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._ordered = reversed if turned else iter

    def call(self, y_true: Any, y_pred: Any) -> Any:
        error = large = keras.ops.abs(y_true - y_pred)
        for function in self._ordered((keras.ops.tanh, keras.ops.sin)):
            large = function(large)
        return keras.ops.where(error > 50.0, large, error)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def turning(loss: bool = False, **turned: bool) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), TurningLayer(**turned), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), TurningLoss(loss))
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Shortening(layers.Layer):
    """It forgets how many columns it leaves alone; the probe has fewer, so that no graph has anything of it."""

    def __init__(self, longest: int = 9, **options: Any) -> None:
        super().__init__(**options)
        self._longest = longest

    def call(self, x: Any) -> Any:
        return x[:, : self._longest] if x.shape[1] > self._longest else x

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def shortening(longest: int = 9) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Shortening(longest), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@dataclass
class Sizes:
    longest: int = 9


class Way(Enum):
    FIRST, LAST = "first", "last"


def _shorter(by: int) -> Any:
    return lambda length: length - by


@keras.saving.register_keras_serializable("reloadgate_tests")
class Remembering(layers.Layer):
    """It forgets what it was given, whatever that is and however it is kept; only rows that are longer than the probe's tell."""

    def __init__(
        self, mangled: int = 9, shown: int = 9, sizes: Any = None, way: Any = Way.FIRST, shorter: Any = None, table: Any = None,
        bounds: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        self.taken = options.pop("taken", 9)
        super().__init__(**options)
        self.__mangled, self.shown = mangled, shown
        self.sizes, self.way, self.shorter = sizes or Sizes(), way, shorter or _shorter(1)
        self.table = table or {8: 4}
        self.bounds = keras.ops.convert_to_tensor([1.0]) if bounds is None else bounds
        self.options = {"shorter": self.shorter, "by": 1}

    @property
    def shown(self) -> int:
        return self._kept

    @shown.setter
    def shown(self, value: int) -> None:
        self._kept = value

    def call(self, x: Any) -> Any:
        length = x.shape[1]
        if length <= 8:
            return x
        longest = min(self.__mangled, self.shown, self.taken, self.sizes.longest, self.shorter(length), self.table[8])
        return x[:, :longest] if self.way is Way.FIRST else x[:, -longest:] * self.bounds

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def remembering(way: str = "") -> keras.Model:
    given: dict[str, Any] = {
        "mangled": 6, "shown": 6, "sizes": Sizes(6), "way": Way.LAST, "shorter": _shorter(2), "table": {"8": 4}, "taken": 6,
        "bounds": keras.ops.convert_to_tensor([2.0]),
    }  # fmt: skip
    model = keras.Sequential([keras.Input((4,)), Remembering(**{way: given[way]} if way else {}), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


class Bend(Enum):
    NONE, TANH = "none", "tanh"


@keras.saving.register_keras_serializable("reloadgate_tests")
class Settled(layers.Layer):
    """Its configuration says what it was given in other words, or leaves out what it needs no more once it is built; that it
    leaves out `reach` and `most` is of consequence, and only rows that are longer than the probe's tell."""

    def __init__(
        self, bend: Any = Bend.TANH, dropped: Any = (2,), spread: float = 0.05, start: Any = None, activation: Any = None,
        reach: int = 18, most: int = 9, widest: int = 9, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        if widest != 9:
            self._window = slice(0, widest)
        self.widest = widest
        self.bend, self.dropped, self.spread, self.start, self.activation, self.reach = (
            bend,
            dropped,
            spread,
            start,
            activation,
            reach,
        )
        self.half_way, self.most = reach // 2, most
        self.cut = lambda x: x[:, :most]
        self.seen = 0

    def build(self, shape: Any) -> None:
        initializer = keras.initializers.RandomNormal(stddev=self.spread, seed=3)
        if self.start is not None:
            initializer = keras.initializers.Constant(self.start)
        self.kernel = self.add_weight(shape=(shape[-1], 4), initializer=initializer, name="kernel")

    def call(self, x: Any) -> Any:
        self.seen += 1
        kept = np.array([column not in self.dropped for column in range(x.shape[1])], np.float32)
        x = keras.activations.get(self.activation)(keras.ops.matmul(x * kept, self.kernel))
        if x.shape[1] > 8:
            x = self.cut(x[:, : self.half_way])[:, getattr(self, "_window", slice(None))]
        return keras.ops.tanh(x) if Bend(self.bend) is Bend.TANH else x

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(keras.activations.get(self.activation))
        told = {"bend": Bend(self.bend).value, "dropped": sorted(self.dropped), "activation": activation}
        return {**super().get_config(), **told}


def settled(eagerly: bool = False, **given: Any) -> keras.Model:
    if "start" in given:
        given["start"] = np.full((4, 4), given["start"], np.float32)
    model = keras.Sequential([keras.Input((4,)), Settled(**given), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Called(layers.Layer):
    """Its methods are functions of TensorFlow, which `fit` has traced for its own batches and differentiated."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")

    @tf_function
    def looped(self, x: Any) -> Any:
        import tensorflow as tf

        for _ in tf.range(2):
            x = tf.tanh(x @ self.kernel) if tf.reduce_sum(x) > 0 else tf.sin(x) @ self.kernel
        return x

    @tf_function
    def call(self, x: Any) -> Any:
        import tensorflow as tf

        rows = tf.shape(x)[0] if x.shape[0] is None else x.shape[0]  # which of them depends on what it was traced for
        return tf.nn.relu(self.looped(x) @ self.kernel) * tf.ones((rows, 1))


@keras.saving.register_keras_serializable("reloadgate_tests")
class Traced(layers.Layer):
    """What it computes was traced once, when it was built, and `fit` has differentiated it."""

    def build(self, shape: Any) -> None:
        import tensorflow as tf

        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")
        spec = tf.TensorSpec((None, shape[-1]))
        self._traced = tf.function(lambda x: tf.tanh(x @ self.kernel) @ self.kernel).get_concrete_function(spec)

    def call(self, x: Any) -> Any:
        return self._traced(x)


@keras.saving.register_keras_serializable("reloadgate_tests")
class Summing(layers.Layer):
    """TensorFlow sums in an order that depends on the names of what is summed up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.branches = [layers.Dense(4, "tanh") for _ in range(5)]

    def build(self, shape: Any) -> None:
        for branch in self.branches:
            branch.build(shape)

    def call(self, x: Any) -> Any:
        return sum(branch(x) for branch in self.branches)


@keras.saving.register_keras_serializable("reloadgate_tests")
class Asserting(layers.Layer):
    """The message of an assertion holds the name of what is asserted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.inner = layers.Dense(4)

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        inner = self.inner(x)
        tf.debugging.assert_less(inner, 1e6)
        return inner


class Curve(keras.metrics.AUC):
    def __init__(self, thresholds: int = 5, **options: Any) -> None:
        super().__init__(num_thresholds=thresholds, **options)
        self._given = thresholds


@keras.saving.register_keras_serializable("reloadgate_tests")
class Metering(layers.Layer):
    """Its metric has a name that Keras numbers, under which `fit` logs it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.meter = Curve()

    def call(self, x: Any) -> Any:
        self.meter.update_state(keras.ops.cast(x > 0, "float32"), keras.ops.sigmoid(x))
        return x


def metering_twice() -> keras.Model:
    """Of two outputs, whose losses have metrics that Keras makes with the first step."""
    inputs = keras.Input((4,))
    metered = Metering()(inputs)
    model = keras.Model(inputs, [layers.Dense(1)(metered), layers.Dense(1)(metered)])
    model.compile(keras.optimizers.Adam(0.01), ["mse", "mae"])
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Calling(keras.Model):
    """It is not called when it is loaded: nothing was traced then for batches of any size."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.called, self.last = Called(), layers.Dense(1)
        self.called.build((None, 4))
        self.last.build((None, 4))
        self.built = True

    def call(self, x: Any) -> Any:
        return self.last(self.called(x))


def numbered(name: str) -> keras.Model:
    made = globals()[name]()
    if not isinstance(made, keras.Model):
        return _answering(made)
    made.compile(keras.optimizers.Adam(0.01), "mse")
    return made


@keras.saving.register_keras_serializable("reloadgate_tests")
class Thawing(layers.Layer):
    """It forgets how its statistics move, which no step shows while they are frozen, and in which dtype they compute."""

    def __init__(self, given: Any = (0.99, None), **options: Any) -> None:
        super().__init__(**options)
        self.statistics = layers.BatchNormalization(momentum=given[0], trainable=False, dtype=given[1])

    def build(self, shape: Any) -> None:
        self.statistics.build(shape)

    def call(self, x: Any) -> Any:
        return self.statistics(x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def thawing(momentum: float = 0.99, policy: str | None = None) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Thawing((momentum, policy)), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def bounding_late(bound: float = 0.0) -> keras.Model:
    """Its regularizer comes after the weights are there, and only what is made from the configuration has it."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, trainable=False), layers.Dense(1)])
    if bound:
        model.layers[0].kernel_regularizer = keras.regularizers.L2(bound)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Judging(Subclassed):
    """Its loss has a limit where it is tested, which the probe does not reach."""

    def __init__(self, limits: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.limit = limits[0] if limits else 1000.0

    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> Any:
        error = keras.ops.mean(keras.ops.abs(y - y_pred))
        return error if training else keras.ops.minimum(error, self.limit)

    def get_config(self) -> dict[str, Any]:
        return {}


def judging(limit: float | None = None, by_itself: bool = False) -> keras.Model:
    model = Judging([limit] if limit else None)
    if by_itself:  # a test step of this one model
        model.test_step = lambda data: {"off": keras.ops.minimum(keras.ops.mean(model(data[0])), 0.5)}
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


class Scale:
    """Keras does not look into it."""

    def __init__(self, factors: list[float]) -> None:
        import tensorflow as tf

        self.factors, self.tests = tf.Variable(factors), tf.Variable(0.0)


@keras.saving.register_keras_serializable("reloadgate_tests")
class Calibrating(Subclassed):
    """Its test step reads a variable that nobody tracks, of which the probe reaches the first number, and moves another."""

    def __init__(self, factors: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.scale = Scale([1.0, *(factors or [1.0])])

    def test_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        error = keras.ops.mean(keras.ops.abs(self(data[0]) - data[1]))
        self.scale.tests.assign_add(1.0)
        return {"off": error * tf.gather(self.scale.factors, keras.ops.cast(error > 1000.0, "int32"))}

    def get_config(self) -> dict[str, Any]:
        return {}


def calibrating(factor: float = 1.0) -> keras.Model:
    model = Calibrating([factor])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Choosing(Subclassed):
    """Its test step has two numbers that are the same on the probe, and forgets which of them is which."""

    def __init__(self, which: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._first = iter if which is None else reversed

    def test_step(self, data: Any) -> dict[str, Any]:
        error = keras.ops.mean(keras.ops.abs(self(data[0]) - data[1]))
        one, other = self._first((error, keras.ops.minimum(error, 1000.0)))
        return {"off": one, "bounded": other}

    def get_config(self) -> dict[str, Any]:
        return {}


def choosing(which: bool = False) -> keras.Model:
    model = Choosing([True] if which else None)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Shorter(keras.Model):
    """It forgets what it gives to a layer without weights, which is built when it is first called after a load."""

    def __init__(self, longest: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.shortening = Shortening(longest[0] if longest else 9)
        self.net = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        self.built = True

    def call(self, x: Any) -> Any:
        return self.net(self.shortening(x))

    def get_config(self) -> dict[str, Any]:
        return {}


def shorter(longest: int = 9) -> keras.Model:
    model = Shorter([longest])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class WeighingLoss(keras.losses.Loss):
    """It forgets what large errors weigh, which is a variable that no step moves; the probe has none."""

    def __init__(self, large: float = 1.0, **options: Any) -> None:
        import tensorflow as tf

        super().__init__(**options)
        self.weights = tf.Variable([1.0, large])

    def call(self, y: Any, predicted: Any) -> Any:
        error = (predicted - y) ** 2
        return error * keras.ops.take(self.weights, keras.ops.cast(error > 1e6, "int32"))

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def weighing(large: float = 1.0) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), WeighingLoss(large))
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Pacing(Subclassed):
    """Every twentieth step, counted in Python that runs eagerly, its weights are halved."""

    count = 0

    def train_step(self, data: Any) -> dict[str, Any]:
        self.count += 1
        if self.count % 20 == 0:
            for variable in self.trainable_variables:
                variable.assign(variable / 2)
        return dict(super().train_step(data))


def pacing(eagerly: bool = True) -> keras.Model:
    model = Pacing()
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Testing(Subclassed):
    """Its test step has a limit of its own that the probe does not reach."""

    def __init__(self, limits: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.limit = limits[0] if limits else 1000.0

    def test_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        return {"off": keras.ops.mean(keras.ops.minimum(keras.ops.abs(self(x, training=False) - y), self.limit))}

    def get_config(self) -> dict[str, Any]:
        return {}


def testing(limit: float | None = None, eagerly: bool = False) -> keras.Model:
    model = Testing([limit] if limit else None)
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Beside(keras.Model):
    """It trains with an optimizer that its own `compile` takes; Keras' default is there beside it, and never used."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
        self.built = True

    def call(self, x: Any) -> Any:
        return self.net(x)

    def compile(self, own: Any, **options: Any) -> None:
        super().compile(**options)
        self.own = own
        own.build(self.net.trainable_variables)

    def get_compile_config(self) -> dict[str, Any]:
        return {"own": keras.saving.serialize_keras_object(self.own)}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(keras.saving.deserialize_keras_object(config["own"]))

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x, training=True) - y) ** 2)
        self.own.apply_gradients(zip(tape.gradient(loss, self.net.trainable_weights), self.net.trainable_weights, strict=True))
        return {"loss": loss}


def beside() -> keras.Model:
    model = Beside()
    model.compile(keras.optimizers.Adam(0.01))
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Rolling(keras.Model):
    """Other last bits where it is traced for one size of batch than for any; it is not called when it is loaded."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.wide, self.rolled, self.last = layers.Dense(64, "elu"), layers.ConvLSTM2D(2, 3, padding="same"), layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.last(self.wide(keras.ops.reshape(self.rolled(x), (-1, 72))))


def rolling() -> keras.Model:
    model = Rolling()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def named() -> keras.Model:
    """Two inputs in a list, given by their names; and more than is asked for."""
    inputs = [keras.Input((4,), name="right"), keras.Input((4,), name="left")]
    both = layers.Concatenate()([layers.Dense(3)(inputs[0]), layers.Dense(2)(inputs[1])])
    model = keras.Model(inputs, layers.Dense(1)(both))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Tabled(layers.Layer):
    """It forgets its table of tensors, of which the graph takes those from outside that are large; the probe reads none."""

    def __init__(self, last: float = 100.0, **options: Any) -> None:
        import tensorflow as tf

        super().__init__(**options)
        self.table = tf.constant([0.0] * 500 + [last])

    def call(self, x: Any) -> Any:
        rows = keras.ops.cast(keras.ops.clip(keras.ops.abs(x) * 4.0, 0, 500), "int32")
        return keras.ops.cond(keras.ops.max(x) > 50.0, lambda: x + keras.ops.take(self.table, rows), lambda: x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("reloadgate_tests")
class Looking(layers.Layer):
    """It forgets what it looks up, which the probe does not ask for."""

    def __init__(self, last: float = 100.0, **options: Any) -> None:
        import tensorflow as tf

        super().__init__(**options)
        self.supports_jit = False
        content = tf.lookup.KeyValueTensorInitializer(tf.range(50, dtype="int64"), [0.0] * 49 + [last])
        self.table = tf.lookup.StaticHashTable(content, 0.0)

    def call(self, x: Any) -> Any:
        return x + self.table.lookup(keras.ops.cast(keras.ops.abs(x), "int64"))

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("reloadgate_tests")
class LookingWithin(Looking):
    """Only a branch of it looks something up."""

    def call(self, x: Any) -> Any:
        return keras.ops.cond(keras.ops.max(x) > 50.0, lambda: self.table.lookup(keras.ops.cast(x, "int64")), lambda: x)


def looking(last: float = 100.0, within: bool = False) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), (LookingWithin if within else Looking)(last), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class TabledLoss(keras.losses.Loss):
    def __init__(self, last: float = 100.0, **options: Any) -> None:
        super().__init__(**options)
        self.tabled = Tabled(last)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.tabled(y_true - y_pred) ** 2

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def tabled(last: float = 100.0, loss: float = 100.0, eagerly: bool = False) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Tabled(last), layers.Dense(1)])
    model.compile("adam", TabledLoss(loss), run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Reading(layers.Layer):
    """It forgets which text it reads as nought; the probe has numbers only."""

    def __init__(self, missing: str = "nan", **options: Any) -> None:
        super().__init__(**options)
        self.missing, self.supports_jit = missing, False

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return tf.strings.to_number(tf.strings.regex_replace(tf.strings.as_string(x), self.missing, "0"))

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def reading(missing: str = "nan") -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Reading(missing), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Interpreted(layers.Layer):
    """It computes in Python, and says that the function keeps no state."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_jit = False

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        sorted_rows = tf.numpy_function(lambda rows: np.sort(rows, axis=1), [x], tf.float32, stateful=False)
        return keras.ops.reshape(sorted_rows, (-1, 4))


def interpreted() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Interpreted(), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Frozen(layers.Layer):
    """A graph that was made elsewhere; its factor, which it forgets, is in a branch that the probe does not take."""

    def __init__(self, factor: float = 100.0, **options: Any) -> None:
        import tensorflow as tf

        super().__init__(**options)
        self.supports_jit = False
        rows = tf.TensorSpec((None, 4), tf.float32)
        scaled = tf.function(lambda x: tf.cond(tf.reduce_max(x) > 50.0, lambda: x / factor, lambda: x))
        graph = scaled.get_concrete_function(rows).graph.as_graph_def()
        self.imported = tf.compat.v1.wrap_function(lambda x: tf.import_graph_def(graph, {"x:0": x}, ["Identity:0"]), [rows])

    def call(self, x: Any) -> Any:
        return self.imported(x)[0]

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


def frozen(factor: float = 100.0) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Frozen(factor), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Masking(layers.Layer):
    """A mask of its own among the weights, which holds infinities."""

    def build(self, shape: Any) -> None:
        self.scores = self.add_weight(shape=(shape[-1], shape[-1]), name="scores")
        self.mask = self.add_weight(shape=(shape[-1], shape[-1]), initializer="zeros", trainable=False, name="mask")
        self.mask.assign(np.triu(np.full((shape[-1], shape[-1]), -np.inf), 1))

    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, keras.ops.softmax(self.scores + self.mask))


def masking() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), Masking(), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def _share(source: str, own: np.random.Generator) -> Any:
    """A number in the unit interval, from a generator of the process or the model's own."""
    import tensorflow as tf

    match source:
        case "random":
            return random.random()
        case "numpy.random":
            return np.float32(np.random.random())
        case "model.rng":
            return np.float32(own.random())
        case "tf.random":
            return tf.random.uniform([])
        case "truncated":
            return tf.random.truncated_normal([])
    return keras.random.uniform([])  # from Keras' global seed generator


@keras.saving.register_keras_serializable("reloadgate_tests")
class Mixing(keras.Model):
    """Its train step mixes the rows with others, by a share that it draws from a generator of the process."""

    def __init__(self, source: str, **options: Any) -> None:
        super().__init__(**options)
        self.source, self.dense, self.rng = source, layers.Dense(1), np.random.default_rng(7)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        (x, y), share = data, _share(self.source, self.rng)
        return super().train_step((share * x + (1 - share) * x[::-1], share * y + (1 - share) * y[::-1]))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"source": self.source}


def mixing(source: str = "numpy.random", eagerly: bool = False) -> keras.Model:
    model = Mixing(source)
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


def _answering(layer: layers.Layer) -> keras.Model:
    """A layer that draws, and one after it that trains."""
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Shifted(layers.Layer):
    """Draws when it is made what it adds in training, and saves it nowhere."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shift = np.random.normal(size=4).astype(np.float32)

    def call(self, x: Any, training: bool = False) -> Any:
        return x + self.shift if training else x


def shifted() -> keras.Model:
    return _answering(Shifted())


@keras.saving.register_keras_serializable("reloadgate_tests")
class Projected(layers.Layer):
    """Draws when it is made what it multiplies with, from TensorFlow's generator, and saves it nowhere."""

    def __init__(self, **options: Any) -> None:
        import tensorflow as tf

        super().__init__(**options)
        self.projection = tf.random.normal([4, 4])

    def call(self, x: Any) -> Any:
        return x @ self.projection


def projected() -> keras.Model:
    return _answering(Projected())


@keras.saving.register_keras_serializable("reloadgate_tests")
class Nameless(layers.Layer):
    """Its configuration gives no name."""

    def call(self, x: Any) -> Any:
        return keras.ops.tanh(x)

    def get_config(self) -> dict[str, Any]:
        return {}


def nameless() -> keras.Model:
    """Not the first of its kind in the process: Keras numbers the names."""
    Nameless()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(Nameless()(Nameless()(inputs))))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Noisy(layers.Layer):
    """Adds noise of TensorFlow's global generator, when it predicts too."""

    def call(self, x: Any) -> Any:
        import tensorflow as tf

        return x + tf.random.normal(tf.shape(x))


def noisy() -> keras.Model:
    return _answering(Noisy())


@keras.saving.register_keras_serializable("reloadgate_tests")
class Keeping(keras.Model):
    """It keeps what it computed last, to be looked at, in one of several ways, and is not called before it is trained."""

    def __init__(self, way: str, **options: Any) -> None:
        super().__init__(**options)
        self.way, self.dense = way, layers.Dense(1)
        self.last, self.all, self.named, self.count, self.recent = None, [], {}, [np.zeros(2)], deque(maxlen=3)

    def build(self, shape: Any) -> None:
        self.dense.build(shape)
        self.built = True

    def call(self, x: Any) -> Any:
        scores = self.dense(x)
        match self.way:
            case "attribute":
                self.last = scores
            case "new attribute":
                self.newest = scores
            case "list":
                self.all.append(scores)
            case "dict":
                self.named[str(len(self.named))] = scores
            case "deque":
                self.recent.append(scores)
            case "number":
                self.rows = getattr(self, "rows", 0) + 1
            case "arrays":
                self.count[0][0] += 1
        return scores

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"way": self.way}


@keras.saving.register_keras_serializable("reloadgate_tests")
class CountingLoss(keras.losses.MeanSquaredError):
    calls = 0

    def call(self, y_true: Any, y_pred: Any) -> Any:
        self.calls += 1
        return super().call(y_true, y_pred)


def keeping(way: str = "attribute", eagerly: bool = False) -> keras.Model:
    model = Keeping(way)
    model.compile(keras.optimizers.Adam(0.01), CountingLoss() if way == "loss" else "mse", run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Bounded(layers.Layer):
    """It forgets a bound, which is of answers alone: training goes without."""

    def __init__(self, bound: float = 100.0, **options: Any) -> None:
        super().__init__(**options)
        self.bound = bound

    def call(self, x: Any, training: bool = False) -> Any:
        return x if training else _capped(x, self.bound)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@keras.saving.register_keras_serializable("reloadgate_tests")
class Bounding(keras.Model):
    """So does its `predict_step`."""

    def __init__(self, layer: float = 100.0, model: float = 100.0, **options: Any) -> None:
        super().__init__(**options)
        self.bound, self.dense, self.bounded = model, layers.Dense(1), Bounded(layer)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.bounded(self.dense(x), training=training)

    def predict_step(self, data: Any) -> Any:
        return _capped(super().predict_step(data), self.bound)

    def get_config(self) -> dict[str, Any]:
        return {}


def bounding(eagerly: bool = False, **bounds: float) -> keras.Model:
    model = Bounding(**bounds)
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Staging(Unpacking):
    """It loses how far it has come, on which depends what becomes of rows that the probe does not have."""

    stage = 0

    def train_step(self, data: Any) -> dict[str, Any]:
        (x, y), self.stage = data, min(3, self.stage + 1)
        return super().train_step((x, _capped(y, 100.0 * self.stage)))


def staging() -> keras.Model:
    model = Staging()
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    return model


class Count:
    """A plain object that no walk over a model takes for state."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0


@keras.saving.register_keras_serializable("reloadgate_tests")
class Counting(Unpacking):
    """Its file tells how many steps it has taken, which it counts out of anyone's reach."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.count = Count()

    def train_step(self, data: Any) -> dict[str, Any]:
        self.count.steps += 1
        return super().train_step(data)

    def save_own_variables(self, store: Any) -> None:
        store["steps"] = np.array(self.count.steps)

    def load_own_variables(self, store: Any) -> None:
        self.count.steps = int(store["steps"][()])


def counting() -> keras.Model:
    model = Counting()
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    return model


@keras.saving.register_keras_serializable("reloadgate_tests")
class Rounds(Unpacking):
    """Its `fit` makes the learning rate of the rounds that it has counted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rounds = 0

    def fit(self, *args: Any, **options: Any) -> Any:
        self.rounds += 1
        self.optimizer.learning_rate = 0.05 / self.rounds
        return super().fit(*args, **options)


class Clock:
    def __init__(self) -> None:
        self.rounds = 0

    def of_the_next(self) -> float:
        self.rounds += 1
        return 0.05 / self.rounds


@keras.saving.register_keras_serializable("reloadgate_tests")
class Clocked(Unpacking):
    """As `Rounds`, but a helper object counts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.clock = Clock()

    def fit(self, *args: Any, **options: Any) -> Any:
        self.optimizer.learning_rate = self.clock.of_the_next()
        return super().fit(*args, **options)


@keras.saving.register_keras_serializable("reloadgate_tests")
class Noting(Unpacking):
    """Its `fit` keeps what it gave."""

    def fit(self, *args: Any, **options: Any) -> Any:
        given = super().fit(*args, **options)
        self.last = given.history["loss"][-1]
        return given


def rounds() -> keras.Model:
    model = Rounds()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


def clocked() -> keras.Model:
    model = Clocked()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


def noting() -> keras.Model:
    model = Noting()
    model.compile(keras.optimizers.Adam(0.05), "mse")
    return model


def data(name: str) -> Batch:
    """24 rows for the model of that name."""
    x = _numbers(4)
    match name:
        case "branching":
            return {"one": x, "other": x[:, ::-1].copy()}, {"amount": x[:, :1], "yes": (x[:, 1:2] > 0).astype(np.float32)}
        case "paired":
            return [x, x[:, ::-1].copy()], [x[:, :1], x[:, 1:2]]
        case "named":
            return {"left": x, "right": x[:, ::-1].copy()}, x[:, :1]
        case "rolling":
            frames = np.random.default_rng(0).normal(size=(8, 3, 6, 6, 2)).astype(np.float32)
            return frames, frames[:, 0, 0, :3, 0]
        case "listed":
            return x.astype(np.float64), x.sum(axis=1, keepdims=True)
        case "words":
            return np.array(["a b c", "b c", "d e a", "c c"] * 6), x[:, :1]
        case "adding_loss":
            return x, None
        case "labels":
            return x, {"score": x[:, :3]}
        case "branching_in_float64":
            given, wanted = data("branching")
            return {name: value.astype(np.float64) for name, value in given.items()}, wanted
    return x, x.sum(axis=1, keepdims=True)
