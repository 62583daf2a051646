"""Good models are not refused: every class that Keras exports, saved and inspected."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reloadgate.inspection import all_findings, said
from reloadgate.inspection.declared import classes, declared_from
from reloadgate.inspection.kinds import look
from reloadgate.inspection.limits import Limits

pytestmark = pytest.mark.keras

IMAGE, SEQUENCE, VECTOR = (16, 16, 3), (6, 4), (4,)
BY_RANK = {"1D": (8, 4), "2D": IMAGE, "3D": (6, 6, 6, 2)}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Dense": {"units": 3}, "EinsumDense": {"equation": "abc,cd->abd", "output_shape": (None, 5), "bias_axes": "d"},
    "LSTM": {"units": 3}, "GRU": {"units": 3}, "SimpleRNN": {"units": 3}, "Activation": {"activation": "gelu"},
    "Embedding": {"input_dim": 9, "output_dim": 3}, "ReversibleEmbedding": {"input_dim": 9, "output_dim": 3},
    "StringLookup": {"vocabulary": ["a", "b/../c", "/x", "http://q"]}, "TextVectorization": {"vocabulary": ["a", "../b"]},
    "IntegerLookup": {"vocabulary": [1, 2]}, "Hashing": {"num_bins": 5}, "CategoryEncoding": {"num_tokens": 5},
    "Discretization": {"bin_boundaries": [-float("inf"), 0.0, float("inf")]}, "HashedCrossing": {"num_bins": 5},
    "RepeatVector": {"n": 3}, "Reshape": {"target_shape": (-1,)}, "Permute": {"dims": (2, 1, 3)},
    "GroupNormalization": {"groups": 3},
    "CenterCrop": {"height": 8, "width": 8}, "Resizing": {"height": 8, "width": 8}, "RandomCrop": {"height": 8, "width": 8},
    "Rescaling": {"scale": 0.5}, "Masking": {"mask_value": float("nan")}, "GaussianNoise": {"stddev": 0.5}, "Dot": {"axes": 1},
    "RandomZoom": {"height_factor": 0.1}, "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomPosterization": {"factor": 4}, "MaxNumBoundingBoxes": {"max_number": 3}, "ActivityRegularization": {"l1": 0.1},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 2},
    "GroupQueryAttention": {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
}  # fmt: skip
REQUIRED = {"filters": 4, "kernel_size": 2, "pool_size": 2, "output_size": 2, "rate": 0.5, "factor": 0.2, "num_classes": 3,
            "target_class_ids": [0], "recall": 0.5, "precision": 0.5, "specificity": 0.5, "sensitivity": 0.5,
            "height_factor": 0.1}  # fmt: skip
SHAPES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("Dense", "RepeatVector", "Normalization"), VECTOR),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "EinsumDense", "Masking", "MultiHeadAttention", "GroupQueryAttention"),
    SEQUENCE),
    **dict.fromkeys(("StringLookup", "TextVectorization", "Hashing", "HashedCrossing"), ((1,), "string")),
    "IntegerLookup": ((1,), "int64"), "CategoryEncoding": (1,), "Discretization": (1,), "Embedding": ((4,), "int32"),
    "ReversibleEmbedding": ((4,), "int32"), "MelSpectrogram": (2048,), "STFTSpectrogram": (2048, 1),
}  # fmt: skip
SEVERAL = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Attention",
    "AdditiveAttention",
           "HashedCrossing", "MultiHeadAttention", "GroupQueryAttention"}  # fmt: skip
WITH_QUERY = {"MultiHeadAttention", "GroupQueryAttention"}
NO_OUTPUT = {"Wrapper", "InputLayer", "RNN", "MaxNumBoundingBoxes", "Equalization"}
"""A base, and what a model has otherwise: in every model, around a cell, on boxes beside images, or on values only."""


def refused(path: Path, *declared: str) -> list[str]:
    found = look(path, declared_from(declared), Limits())
    assert found.variables or found.layers
    return [said(finding) for finding in all_findings(found) if finding.refused]


def made(class_: Any, name: str) -> Any:
    parameters = inspect.signature(class_.__init__).parameters
    needed = {key: REQUIRED[key] for key, p in parameters.items() if p.default is inspect.Parameter.empty and key in REQUIRED}
    return class_(**needed | ARGUMENTS.get(name, {}))


def layer_models(keras: Any) -> Iterator[tuple[str, Any]]:
    layers = keras.layers
    wrapped: dict[str, Callable[[], Any]] = {
        "Bidirectional": lambda: layers.Bidirectional(layers.LSTM(3)),
        "TimeDistributed": lambda: layers.TimeDistributed(layers.Dense(3)),
        "SpectralNormalization": lambda: layers.SpectralNormalization(layers.Dense(3)),
        "Pipeline": lambda: layers.Pipeline([layers.RandomFlip(), layers.Rescaling(2.0)]),
        "StackedRNNCells": lambda: layers.RNN(layers.StackedRNNCells([layers.LSTMCell(2), layers.GRUCell(2)])),
        **{cell: lambda cell=cell: layers.RNN(getattr(layers, cell)(3)) for cell in ("LSTMCell", "GRUCell", "SimpleRNNCell")},
    }  # fmt: skip
    for name in sorted(name for module, name in classes() if module == "keras.layers" and name not in NO_OUTPUT):
        layer = wrapped[name]() if name in wrapped else made(getattr(layers, name), name)
        rank = next((rank for rank in BY_RANK if rank in name), "2D")
        given = SHAPES.get(name, BY_RANK[rank])
        if "ConvLSTM" in name:
            given = (3, *BY_RANK[rank])
        if name in wrapped and name != "Pipeline":
            given = VECTOR if name == "SpectralNormalization" else SEQUENCE
        if name in SEVERAL and name not in SHAPES:
            given = SEQUENCE
        shape, dtype = given if isinstance(given[-1], str) else (given, None)
        if name == "Normalization":
            layer.adapt(np.arange(12.0).reshape(3, 4))
        inputs = [keras.Input(shape, dtype=dtype) for _ in range(2 if name in SEVERAL else 1)]
        outputs = layer(*inputs) if name in WITH_QUERY else layer(inputs) if name in SEVERAL else layer(inputs[0])
        yield name, keras.Model(inputs, outputs)


def test_every_layer_of_keras_is_accepted_in_every_format(keras: Any, tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    count = 0
    for name, model in layer_models(keras):
        if model.trainable_variables:
            model.compile("adam", "mse")
            model.optimizer.build(model.trainable_variables)
        paths = [tmp_path / f"{name}.keras"]
        model.save(paths[0])
        if model.weights:
            paths.append(tmp_path / f"{name}.weights.h5")
            model.save_weights(paths[1])
            paths.append(tmp_path / f"{name}.h5")
            with _quiet():
                model.save(paths[2])
        for path in paths:
            if path.exists() and (why := refused(path)):
                found[path.name] = why
            path.unlink(missing_ok=True)
        count += 1
    assert not found
    assert count == len([1 for module, name in classes() if module == "keras.layers"]) - len(NO_OUTPUT)


def _quiet() -> Any:
    import contextlib

    # Keras cannot write every layer of its own into the legacy format; what it cannot write, nobody loads.
    return contextlib.suppress(TypeError, NotImplementedError, ValueError)


def trained(keras: Any, **compiled: Any) -> Any:
    model = keras.Sequential(
        [keras.Input(VECTOR), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    )
    model.compile(**{"loss": "mse"} | compiled)
    return model


def test_every_optimizer_is_accepted_with_every_kind_of_variable(keras: Any, tmp_path: Path) -> None:
    optimizers, found = keras.optimizers, {}
    schedules = [
        optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), optimizers.schedules.CosineDecay(0.1, 10),
        optimizers.schedules.CosineDecayRestarts(0.1, 10), optimizers.schedules.InverseTimeDecay(0.1, 10, 0.9),
        optimizers.schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2, 0.3]), optimizers.schedules.PolynomialDecay(0.1, 10),
    ]  # fmt: skip
    names = sorted(name for module, name in classes() if module == "keras.optimizers")
    for name in names:
        class_ = getattr(optimizers, name)
        if name == "OptimizerMap":
            continue  # the patterns of a `MultiOptimizer`
        inner: dict[str, Any] = {"inner_optimizer": optimizers.Adam()} if name == "LossScaleOptimizer" else {}
        if name == "MultiOptimizer":
            inner = {"optimizer_map": optimizers.OptimizerMap(optimizers.Adam(), {".*kernel": optimizers.SGD(momentum=0.9)})}
        options: list[dict[str, Any]] = [inner]
        if not inner:
            options += [{"use_ema": True}, {"gradient_accumulation_steps": 2}]
            options += [{"learning_rate": one} for one in (schedules if name == "Adam" else schedules[:1])]
        options += [{"momentum": 0.9}] if name in ("SGD", "RMSprop") else [{"amsgrad": True}] if name in ("Adam", "AdamW") else []
        options += [{"centered": True}] if name == "RMSprop" else []
        for number, option in enumerate(options):
            model = trained(keras, optimizer=class_(**option))
            model.optimizer.build(model.trainable_variables)
            path = tmp_path / f"{name}-{number}.keras"
            model.save(path)
            if why := refused(path):
                found[path.name] = why
    assert not found
    assert len(names) > 10


@pytest.mark.parametrize("kind", ["losses", "metrics"])
def test_every_loss_and_metric_is_accepted(keras: Any, tmp_path: Path, kind: str) -> None:
    names, found = sorted(name for module, name in classes() if module == f"keras.{kind}"), {}
    for name in names:
        class_ = getattr(getattr(keras, kind), name)
        one = class_(keras.losses.mean_squared_error) if name == "MeanMetricWrapper" else made(class_, name)
        model = trained(keras, optimizer="sgd", **({"loss": one} if kind == "losses" else {"metrics": [one]}))
        path = tmp_path / f"{name}.keras"
        model.save(path)
        if why := refused(path):
            found[name] = why
    assert not found
    assert len(names) > 20


def test_every_activation_initializer_regularizer_and_constraint_is_accepted(keras: Any, tmp_path: Path) -> None:
    layers, dense = [keras.Input(VECTOR)], keras.layers.Dense
    activations = [
        n for n, f in vars(keras.activations).items() if inspect.isfunction(f) and n not in ("get", "serialize", "deserialize")
    ]
    layers += [dense(4, activation=getattr(keras.activations, name)) for name in activations if name != "glu"]
    layers += [keras.layers.Activation(name) for name in activations if name != "glu"]
    for namespace, argument in (
        ("initializers", "kernel_initializer"),
        ("regularizers", "kernel_regularizer"),
        ("constraints", "kernel_constraint"),
    ):
        for name in sorted(name for module, name in classes() if module == f"keras.{namespace}" and name[:1].isupper()):
            if name in ("STFT", "STFTInitializer"):
                continue  # of a spectrogram's own shape: `STFTSpectrogram` has it
            class_ = getattr(getattr(keras, namespace), name)
            layers.append(dense(4, **{argument: class_(1.0) if name == "Constant" else class_()}))
    layers.append(dense(4, kernel_initializer=keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(3))))
    model = keras.Sequential(layers)
    model.save(tmp_path / "m.keras")
    assert refused(tmp_path / "m.keras") == []
    assert len(layers) > 80


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float16", "float64"])
def test_every_dtype_policy_is_accepted(keras: Any, tmp_path: Path, policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input(IMAGE),
                layers.Conv2D(3, 2),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(3),
                layers.Dropout(0.5),
            ]
        )
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        model.save(tmp_path / "m.keras")
        model.save_weights(tmp_path / "m.weights.h5")
        model.save(tmp_path / "m.h5")
    finally:
        keras.config.set_dtype_policy("float32")
    assert {name: refused(tmp_path / name) for name in ("m.keras", "m.weights.h5", "m.h5")} == {
        "m.keras": [],
        "m.weights.h5": [],
        "m.h5": [],
    }


def test_quantised_models_and_low_rank_factors_are_accepted(keras: Any, tmp_path: Path) -> None:
    for kind in ("int8", "int4", "float8"):
        model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(32), keras.layers.Dense(4)])
        for layer in model.layers:
            layer.quantize(kind)
        model.save(tmp_path / f"{kind}.keras")
        assert refused(tmp_path / f"{kind}.keras") == []
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(32), keras.layers.Dense(4)])
    model.layers[0].enable_lora(2)
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "lora.keras")
    assert refused(tmp_path / "lora.keras") == []


def test_models_of_operations_shared_layers_and_nested_models_are_accepted(keras: Any, tmp_path: Path) -> None:
    shared = keras.layers.Dense(4)
    inner = keras.Sequential([keras.Input(VECTOR), shared, keras.layers.Dense(4)])
    inner.compile("adam", "mse")
    inner.optimizer.build(inner.trainable_variables)
    inputs = keras.Input(VECTOR)
    x = keras.ops.add(inner(shared(shared(inputs))), inputs)
    x = keras.ops.concatenate([x, x[:, :2], -x[..., 1:]], axis=-1)
    x = keras.ops.mean(keras.ops.reshape(keras.ops.stack([x, keras.ops.exp(x)], 1), (-1, 2, 3, 3)), axis=1) * 2 + 1
    model = keras.Model(inputs, keras.ops.where(x > 0, x, keras.ops.zeros_like(x)))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    assert refused(tmp_path / "m.keras") == []


def test_a_distiller_is_accepted(keras: Any, tmp_path: Path) -> None:
    distillation, (teacher, student) = keras.distillation, (trained(keras) for _ in range(2))
    losses = [distillation.LogitsDistillation(), distillation.FeatureDistillation("mse")]
    model = distillation.Distiller(teacher=teacher, student=student, distillation_losses=losses)
    model(keras.ops.zeros((1, *VECTOR)))
    model.save(tmp_path / "m.keras")
    assert refused(tmp_path / "m.keras") == []


@pytest.mark.parametrize("name", ["MobileNetV2", "ConvNeXtTiny"])
def test_keras_applications_are_accepted(keras: Any, tmp_path: Path, name: str) -> None:
    model = getattr(keras.applications, name)(weights=None, classes=7)
    model.save(tmp_path / "m.keras")
    assert refused(tmp_path / "m.keras") == []


def test_shards_checkpoints_and_saved_models_are_accepted(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    layers = keras.layers
    model = keras.Sequential([keras.Input((64,)), layers.Dense(128), layers.Dense(128), layers.Dropout(0.5), layers.Dense(8)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=0.0001)
    tf.train.Checkpoint(model=model, step=tf.Variable(3)).save(str(tmp_path / "ck/c"))
    tf.train.Checkpoint(model=model).write(str(tmp_path / "bare"))
    model.export(str(tmp_path / "sm"), verbose=False)
    words = layers.TextVectorization()
    words.adapt(["a b c"])
    text = keras.Sequential([keras.Input((1,), dtype="string"), words, layers.Embedding(9, 3), layers.LSTM(3)])
    text.export(str(tmp_path / "text"), verbose=False)
    assert len(list(tmp_path.glob("m_*.weights.h5"))) > 1
    for name in ("m.weights.json", "ck", "ck/c-1", "bare", "sm", "text"):
        found = look(tmp_path / name, declared_from(()), Limits())
        assert not found.refused, (name, all_findings(found))
        assert found.variables


def test_graphs_of_many_kinds_of_operations_are_accepted(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    lookup = tf.lookup

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.v, self.steps = tf.Variable(tf.ones((3,))), tf.Variable(0.0)
            self.table = lookup.StaticHashTable(lookup.KeyValueTensorInitializer(["a"], [1]), -1)
            self.changing = lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
            lines = lookup.TextFileInitializer(
                str(words), tf.string, lookup.TextFileIndex.WHOLE_LINE, tf.int64, lookup.TextFileIndex.LINE_NUMBER
            )
            self.asset = lookup.StaticVocabularyTable(lines, 2)

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])  # type: ignore[untyped-decorator]
        def loops(self, x: Any) -> Any:
            tf.debugging.assert_non_negative(tf.shape(x)[0])
            y = tf.map_fn(lambda row: row * 2, x)
            y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y + self.v), (0, y))[1]
            return tf.cond(tf.reduce_sum(y) > 0, lambda: tf.linalg.svd(y)[0], lambda: y[0])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
        def text(self, x: Any) -> Any:
            split = tf.strings.split(tf.strings.lower(x)).to_tensor("")
            return self.table.lookup(split), self.asset.lookup(x), self.changing.lookup(x), tf.io.decode_base64(x)

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])  # type: ignore[untyped-decorator]
        def train(self, x: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(x * self.v) + tf.random.stateless_normal([], [1, 2])
            self.v.assign_sub(tape.gradient(loss, self.v))
            return self.steps.assign_add(1.0)

    tf.saved_model.save(Module(), str(tmp_path / "sm"))
    assert refused(tmp_path / "sm") == []


@pytest.mark.parametrize("sharded", [False, True])
def test_graphs_with_savers_of_their_own_are_accepted(keras: Any, tmp_path: Path, sharded: bool) -> None:
    """As TensorFlow 1 writes them: the saver of the training stays in the graph beside that of the export."""
    import tensorflow as tf

    old = tf.compat.v1
    with tf.Graph().as_default(), old.Session() as session:
        x = old.placeholder(tf.float32, [None, 2])
        y = x * old.get_variable("w", initializer=2.0, use_resource=True)
        old.train.Saver(sharded=sharded)
        ready = old.global_variables_initializer()
        session.run(ready)
        builder = old.saved_model.Builder(str(tmp_path / "sm"))
        signature = old.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=ready, saver=old.train.Saver(sharded=not sharded)
        )
        builder.save()
    assert refused(tmp_path / "sm") == []


def test_objects_that_save_what_they_like_are_accepted(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    class Words(tf.__internal__.tracking.AutoTrackable):  # type: ignore[misc]
        def _serialize_to_tensors(self) -> dict[str, Any]:
            return {"words": tf.constant(["a", "b"])}

        def _restore_from_tensors(self, tensors: dict[str, Any]) -> Any:
            return tf.no_op()

    module = tf.Module()
    module.words, module.v = Words(), tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "sm"))
    assert refused(tmp_path / "sm") == []


def test_checkpoints_of_a_training_loop_are_accepted(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    model = trained(keras, optimizer="adam")
    model.optimizer.build(model.trainable_variables)
    iterator = iter(tf.data.Dataset.range(10))
    next(iterator)
    checkpoint = tf.train.Checkpoint(
        model=model, iterator=iterator, text=tf.Variable("text"), flag=tf.Variable(True), none=tf.Variable(tf.zeros((0, 3))),
        half=tf.Variable(tf.ones((2,), tf.bfloat16)), random=tf.random.Generator.from_seed(1),
        table=tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1),
    )  # fmt: skip
    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path / "ck"), max_to_keep=2)
    for _ in range(3):
        manager.save()
    assert refused(tmp_path / "ck") == []


def test_custom_classes_are_accepted_when_they_are_declared_and_only_then(keras: Any, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="acme")
    class Scale(keras.layers.Layer):
        def __init__(self, path: str = "", **kwargs: Any) -> None:
            super().__init__(**kwargs)

        def build(self, shape: Any) -> None:
            self.mask = self.add_weight(shape=(shape[-1],), initializer=keras.initializers.Constant(-np.inf), trainable=False)
            self.factor = self.add_weight(shape=(), initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.factor

    @keras.saving.register_keras_serializable(package="acme")
    def twice(x: Any) -> Any:
        return 2 * x

    model = keras.Sequential([keras.Input(VECTOR), Scale(), keras.layers.Dense(3, activation=twice), keras.layers.Lambda(twice)])
    model.save(tmp_path / "m.keras")
    assert refused(tmp_path / "m.keras", "acme>Scale", "acme>twice") == []
    assert refused(tmp_path / "m.keras", f"{__name__}:Scale", "acme>twice") == []
    assert len(refused(tmp_path / "m.keras", "acme>twice")) == 1
    assert len(refused(tmp_path / "m.keras", "acme>Scale")) == 3  # the activation, the Lambda layer and its function
    assert refused(tmp_path / "m.keras", "Scale", "twice", "acme")


def test_vocabularies_of_every_place_are_accepted(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers

    @keras.saving.register_keras_serializable(package="acme")
    class Words(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.inner = layers.StringLookup()
            self.inner.adapt(["p", "q"])

        def call(self, x: Any) -> Any:
            return self.inner(x)

        def save_assets(self, folder: str) -> None:
            Path(folder, "notes.txt").write_text("x")

        def load_assets(self, folder: str) -> None:
            pass

    def text(*more: Any) -> Any:
        adapted = [layers.TextVectorization(), layers.StringLookup()]
        for layer in adapted:
            layer.adapt(["a", "b"])
        given = keras.Input((1,), dtype="string")
        outputs = [layers.GlobalAveragePooling1D()(layers.Embedding(9, 2)(layer(given))) for layer in (*adapted, *more)]
        return keras.Model(given, layers.Add()(outputs))

    text().save(tmp_path / "plain.keras")
    given = keras.Input((1,), dtype="string")
    keras.Model(given, keras.Sequential([given, text(), layers.Dense(2)])(given)).save(tmp_path / "nested.keras")
    text(Words()).save(tmp_path / "custom.keras")
    for name in ("plain", "nested", "custom"):
        found = look(tmp_path / f"{name}.keras", declared_from(("acme>Words",)), Limits())
        assert not found.refused, all_findings(found)
        assert sum(member.path.endswith("vocabulary.txt") for member in found.members) > 1


def test_the_tables_are_those_of_the_installed_keras_and_tensorflow(keras: Any) -> None:
    from tools import allow_lists

    for name, content in allow_lists.tables().items():
        assert (allow_lists.TABLES / name).read_bytes() == content, f"{name} is out of date: make allowlist"
