"""`save` and `record`: the caller's model is bit for bit untouched, and a version is whole or not there."""

import contextlib
import copy
import gc
import random
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reloadgate
from reloadgate.arrays import Array, ArrayWriter
from reloadgate.errors import RefusedError, UsageError
from reloadgate.evidence import CALL, EVIDENCE_DIR, MODES, PREDICT, SERVE, TRAIN_STEP, TRAINING, Kind, Silent, read_saved
from reloadgate.formats import keras_archive
from reloadgate.recording import _flushed

pytestmark = pytest.mark.keras


def batch(rows: int = 16) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(rows, 4)).astype(np.float32), generator.normal(size=(rows, 2)).astype(np.float32)


def rich_model(keras: Any) -> Any:
    """Everything that a step moves: weights, slots, an average, statistics, random state, metrics, recurrent state."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input(batch_shape=(16, 4))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(6, activation="relu")(inputs))
    x = keras.layers.LSTM(3, stateful=True)(keras.layers.Reshape((2, 3))(keras.layers.Dropout(0.4)(x)))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(optimizer=keras.optimizers.Adam(0.01, use_ema=True), loss="mse", metrics=["mae"])
    return model


def everything(model: Any) -> dict[str, bytes]:
    """Every variable by identity, metrics and recurrent states included."""
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    for layer in model._flatten_layers():
        found += [state for state in (getattr(layer, "states", None) or []) if hasattr(state, "assign")]
    return {f"{variable.path} {id(variable)}": variable.value.numpy().tobytes() for variable in found}


def test_the_model_is_bit_for_bit_what_it_was(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.framework import config as tf_config

    model = rich_model(keras)
    model.fit(*batch(), batch_size=16, epochs=2, verbose=0)
    before, attributes = everything(model), {id(layer): dict(vars(layer)) for layer in model._flatten_layers()}
    name = keras.layers.Dense(1).name
    states = random.getstate(), copy.deepcopy(np.random.get_state()), tf_config.is_op_determinism_enabled()
    reloadgate.save(model, tmp_path / "m/1", probe=batch(), location="any")
    assert everything(model) == before
    for layer in model._flatten_layers():
        assert {k: id(v) for k, v in vars(layer).items()} == {k: id(v) for k, v in attributes[id(layer)].items()}
    assert random.getstate() == states[0]
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), states[1], strict=True))
    assert tf_config.is_op_determinism_enabled() == states[2]
    number = int(name.split("_")[1])
    assert keras.layers.Dense(1).name == f"dense_{number + 1}", "observing must not use up Keras' automatic names"
    assert tf.executing_eagerly()


@pytest.mark.parametrize("on", [True, False])
def test_the_switch_for_op_determinism_is_put_back(on: bool, keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.framework import config as tf_config

    if on:
        tf.config.experimental.enable_op_determinism()
    try:
        reloadgate.save(rich_model(keras), tmp_path / "m/1", probe=batch(), location="any")
        assert tf_config.is_op_determinism_enabled() == on
    finally:
        tf_config.disable_op_determinism()


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("on", [True, False])
def test_the_search_for_garbage_waits_and_is_put_back(
    on: bool, breaks: bool, keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = rich_model(keras)
    model.fit(*batch(), batch_size=16, verbose=0)
    original, seen = keras_archive.save, list[bool]()

    def saves(saved: Any, path: Path) -> Any:
        seen.append(gc.isenabled())
        if breaks:
            raise ValueError("it cannot be saved")
        return original(saved, path)

    monkeypatch.setattr(keras_archive, "save", saves)
    (gc.enable if on else gc.disable)()
    try:
        with pytest.raises(ValueError, match="cannot be saved") if breaks else contextlib.nullcontext():
            reloadgate.save(model, tmp_path / "m/1", probe=batch(), steps=0, location="any")
        assert (seen, gc.isenabled()) == ([False], on)
    finally:
        gc.enable()


def test_training_goes_on_as_if_nothing_had_been_saved(keras: Any, tmp_path: Path) -> None:
    ends = []
    for saves in (False, True):
        model = rich_model(keras)
        model.fit(*batch(), batch_size=16, epochs=2, verbose=0)
        if saves:
            reloadgate.save(model, tmp_path / "m/1", probe=batch(), location="any")
        model.fit(*batch(), batch_size=16, epochs=2, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*ends, strict=True))


def test_an_optimizer_that_never_trained_is_reset_and_stays_built(keras: Any, tmp_path: Path) -> None:
    model = rich_model(keras)
    assert not model.optimizer.built
    reloadgate.save(model, tmp_path / "m/1", probe=batch(), location="any")
    assert model.optimizer.built
    assert int(model.optimizer.iterations.numpy()) == 0
    assert not any(np.any(v.numpy()) for v in model.optimizer.variables if "momentum" in v.path or "velocity" in v.path)
    saved, _ = read_saved(tmp_path / "m/1" / EVIDENCE_DIR)
    assert not saved.observation.optimizers[0].was_built


def test_a_python_attribute_that_the_steps_move_is_put_back_and_named(keras: Any, tmp_path: Path) -> None:
    class Counting(keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.calls, self.seen = 0, [1]

        def call(self, x: Any) -> Any:
            self.calls += 1
            self.seen.append(self.calls)
            return x

    model = keras.Sequential([keras.Input((4,)), Counting(name="counting"), keras.layers.Dense(2)])
    model.compile(optimizer="sgd", loss="mse")
    calls, seen = model.layers[0].calls, list(model.layers[0].seen)
    version = tmp_path / "m/1"
    version.mkdir(parents=True)
    reloadgate.record(model, version, probe=batch(), loader="nothing:load")
    assert (model.layers[0].calls, list(model.layers[0].seen)) == (calls, seen)
    saved, _ = read_saved(version / EVIDENCE_DIR)
    assert set(saved.observation.moved_attributes) == {"layers/counting.calls", "layers/counting.seen"}


def test_a_model_without_a_configuration_has_its_compile_settings_all_the_same(keras: Any, tmp_path: Path) -> None:
    class Around(keras.Model):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, x: Any) -> Any:
            return self.inner(x)

    model = Around(keras.layers.Dense(2))
    model.compile("sgd", "mse", metrics=["mae"])
    version = tmp_path / "m/1"
    version.mkdir(parents=True)
    reloadgate.record(model, version, probe=batch(), loader="nothing:load", steps=0)
    observed = read_saved(version / EVIDENCE_DIR)[0].observation
    assert observed.config is None
    assert observed.compile_config is not None
    assert (observed.compile_config["loss"], observed.compile_config["metrics"]) == ("mse", ["mae"])


def test_the_evidence_holds_every_kind_of_state(keras: Any, tmp_path: Path) -> None:
    model = rich_model(keras)
    model.fit(*batch(), batch_size=16, verbose=0)
    saved, _ = read_saved(reloadgate.save(model, tmp_path / "m/1", probe=batch(), location="any") / EVIDENCE_DIR)
    variables = saved.observation.variables
    assert {v.kind for v in variables} == {Kind.WEIGHT, Kind.SLOT, Kind.RANDOM_STATE, Kind.RECURRENT_STATE}
    assert sum(v.kind is Kind.SLOT for v in variables) == len(model.optimizer.variables)
    assert {log.name for log in saved.observation.logs} == {"loss", "mae"}
    assert {output.mode for output in saved.observation.outputs} == {*MODES} - {SERVE}
    assert all(log.values.shape == (3,) for log in saved.observation.logs)


def test_it_is_served_where_an_artifact_serves_and_predicts_as_in_training_where_it_trains(keras: Any, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")

    def observed(name: str, **asked: Any) -> Any:
        return read_saved(reloadgate.save(model, tmp_path / name, probe=batch(), location="any", **asked) / EVIDENCE_DIR)[
            0
        ].observation

    whole, without = observed("m/1", formats=("keras", "saved_model")), observed("m/2", steps=0)
    assert {output.mode for output in whole.outputs} == {*MODES}
    assert {output.mode for output in without.outputs} == {CALL, PREDICT}
    shown, layers = [{(graph.mode, graph.layer) for graph in one.graphs} for one in (whole, without)], ("", "layers/dense")
    assert shown[1] == {(PREDICT, layer) for layer in layers}
    assert shown[0] == {(TRAINING, layer) for layer in (*layers, TRAIN_STEP)} | shown[1]


@pytest.mark.parametrize("jit", [False, True])
def test_state_that_only_inference_uses_is_found_and_put_back(jit: bool, keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    class Counting(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="counting")
            self._hidden = [tf.Variable(0.0)]  # no attribute that Keras tracks

        def call(self, x: Any, training: bool = False) -> Any:
            if training:
                return x
            self._hidden[0].assign_add(1.0)
            return x + self._hidden[0]

    counting = Counting()
    model = keras.Sequential([keras.Input((4,)), counting, keras.layers.Dense(2)])
    model.compile("sgd", "mse", jit_compile=jit)
    before = float(counting._hidden[0].numpy())
    saved, _ = read_saved(reloadgate.save(model, tmp_path / "m/1", probe=batch(), location="any") / EVIDENCE_DIR)
    assert [v.key for v in saved.observation.variables if v.kind is Kind.UNTRACKED] == ["untracked/layers/counting/0"]
    assert float(counting._hidden[0].numpy()) == before


def test_predict_is_traced_for_the_probe_whatever_it_was_called_for_before(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for rows in (3, 5, 7):
        model.predict(batch(rows)[0], verbose=0)
    before, used, predict = model.predict_function, [], keras.Model.predict
    assert len(before._list_all_concrete_functions()) == 2, "by now TensorFlow has traced it for batches of any size"

    def seen(model: Any, *arguments: Any, **named: Any) -> Any:
        used.append(model.predict_function)
        return predict(model, *arguments, **named)

    monkeypatch.setattr(keras.Model, "predict", seen)
    reloadgate.save(model, tmp_path / "m/1", probe=batch(16)[0], location="any", steps=0)
    (first,) = used
    assert first is not before
    assert [f.inputs[0].shape[0] for f in first._list_all_concrete_functions()] == [16]
    assert model.predict_function is before


def reads(x: Any, seen: list[int]) -> Any:
    import tensorflow as tf

    return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)


def draws(x: Any, seen: list[int]) -> Any:
    import tensorflow as tf

    return x + tf.random.normal(tf.shape(x))


def draws_in_a_branch(x: Any, seen: list[int]) -> Any:
    import tensorflow as tf

    return tf.cond(tf.shape(x)[0] > 0, lambda: x + tf.random.normal(tf.shape(x)), lambda: x)


def prints(x: Any, seen: list[int]) -> Any:
    import tensorflow as tf

    tf.print("called", output_stream="file:///dev/null")
    return x


def counts_in_python(x: Any, seen: list[int]) -> Any:
    import tensorflow as tf

    def counted(value: Any) -> Any:
        seen.append(1)
        return value + np.float32(len(seen))

    return tf.ensure_shape(tf.numpy_function(counted, [x], tf.float32, stateful=False), x.shape)


@pytest.mark.parametrize(("does", "times"), [(reads, 1), (draws, 2), (draws_in_a_branch, 2), (prints, 2), (counts_in_python, 2)])
def test_it_predicts_once_more_unless_a_run_of_the_graph_gave_the_same_bits(
    does: Any, times: int, keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a graph that leaves everything as it was is run before the model predicts, and beside it."""
    from reloadgate.live import observe as observer

    keras.utils.set_random_seed(1)  # without one, nothing is drawn under op determinism
    seen, predicted, rehearsed = [], [], []
    predict, again = keras.Model.predict, observer._rehearsed
    monkeypatch.setattr(observer, "_rehearsed", lambda run: rehearsed.append(run) or again(run))
    monkeypatch.setattr(keras.Model, "predict", lambda *a, **named: predicted.append(a) or predict(*a, **named))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: does(x, seen), output_shape=(4,))(keras.layers.Dense(4)(inputs)))
    version = reloadgate.save(model, tmp_path / "m/1", probe=batch()[0], steps=0, location="any")
    assert (len(predicted), len(rehearsed)) == (times, 2 - times)
    saved, _ = read_saved(version / EVIDENCE_DIR)
    noise = {one.name: one.noise for one in saved.observation.outputs if one.mode == PREDICT}
    assert (noise["output"] > 0) is (does in (draws, draws_in_a_branch, counts_in_python))


def test_it_predicts_once_more_where_a_run_of_the_graph_gave_other_bits(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reloadgate.live import observe as observer

    predicted, predict = [], keras.Model.predict
    monkeypatch.setattr(observer, "_rehearsed", lambda run: {"output": run().numpy() + np.float32(1e-6)})
    monkeypatch.setattr(keras.Model, "predict", lambda *a, **named: predicted.append(a) or predict(*a, **named))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    reloadgate.save(model, tmp_path / "m/1", probe=batch()[0], steps=0, location="any")
    assert len(predicted) == 2


def test_a_variable_that_is_settled_on_being_saved_is_observed_as_it_was_saved(keras: Any, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("recording")
    class Settling(keras.Sequential):  # type: ignore[misc]
        def save(self, *arguments: Any, **named: Any) -> None:
            self.layers[0].bias.assign([7.0, 7.0])
            super().save(*arguments, **named)

    model = Settling([keras.Input((4,)), keras.layers.Dense(2, name="first")])
    model.compile("sgd", "mse")
    x, y = batch()
    version = reloadgate.save(model, tmp_path / "m/1", probe=(x, y), steps=1, location="any")
    saved, _ = read_saved(version / EVIDENCE_DIR)
    settled = next(one for one in saved.observation.variables if one.name.endswith("bias"))
    assert settled.value.largest == 7.0


def test_no_layer_is_made_for_every_layer_that_is_saved(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Keras 3.15.1 does: half of the time of its walk over a model, which a save takes three times."""
    from keras.src.saving import saving_lib

    model = keras.Sequential([keras.Input((4,)), *[keras.layers.Dense(2) for _ in range(20)]])
    model.compile(loss="mse")
    made, original, theirs = [], keras.layers.Layer.__init__, saving_lib.get_attr_skipset
    monkeypatch.setattr(keras.layers.Layer, "__init__", lambda layer, **named: (made.append(layer), original(layer, **named))[1])
    reloadgate.save(model, tmp_path / "m/1", probe=batch(), steps=0, location="any")
    assert len(made) < len(model.layers)
    assert saving_lib.get_attr_skipset is theirs


def test_units_that_no_row_of_the_probe_activates_are_counted_by_layer(keras: Any, tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    hidden, shared = keras.layers.Dense(6, activation="relu", name="hidden"), keras.layers.ReLU(name="shared")
    both = keras.layers.Concatenate()([hidden(inputs), hidden(-inputs)])
    model = keras.Model(inputs, shared(keras.layers.Dense(2, name="linear")(shared(both))))  # for 12 units, and for 2
    model.compile("sgd", "mse")
    hidden.set_weights([np.eye(4, 6, dtype=np.float32), np.array([0, 0, 0, 0, 0, 1], np.float32)])
    x = np.full((5, 4), -1.0, np.float32)
    saved, _ = read_saved(reloadgate.save(model, tmp_path / "m/1", probe=(x, x[:, :2]), location="any") / EVIDENCE_DIR)
    assert saved.observation.notes == ()
    silent = {one.layer: one for one in saved.observation.silent}
    # The fifth unit has no weight and no bias; the first four are active for the inputs turned around, the sixth always.
    assert silent["layers/dense"] == Silent(layer="layers/dense", units=1, of=6)
    assert {one.of for one in saved.observation.silent if one.layer == "layers/re_lu"} >= {12}


def test_the_same_training_gives_the_same_bytes(keras: Any, tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.framework import config as tf_config

    tf.config.experimental.enable_op_determinism()
    contents = []
    try:
        for number in (1, 2):
            keras.backend.clear_session()
            model = rich_model(keras)
            model.fit(*batch(), batch_size=16, verbose=0)
            version = reloadgate.save(model, tmp_path / f"m/{number}", probe=batch(), location="any")
            contents.append({p.relative_to(version): p.read_bytes() for p in sorted(version.rglob("*")) if p.is_file()})
    finally:
        tf_config.disable_op_determinism()
    differing = [str(p) for p in contents[0] if contents[0][p] != contents[1][p]]
    # Keras writes the time into metadata.json, and so into the archive and the manifest that holds its digest.
    assert set(differing) <= {"model.keras", "evidence/evidence.json"}
    assert contents[0].keys() == contents[1].keys()


def test_a_version_that_exists_is_not_changed(keras: Any, tmp_path: Path) -> None:
    model = rich_model(keras)
    version = reloadgate.save(model, tmp_path / "m/1", probe=batch(), location="any")
    before = {path: path.read_bytes() for path in version.rglob("*") if path.is_file()}
    with pytest.raises(RefusedError, match="never changed in place"):
        reloadgate.save(model, version, probe=batch(), location="any")
    with pytest.raises(RefusedError, match="has evidence already"):
        reloadgate.record(model, version, probe=batch())
    assert {path: path.read_bytes() for path in version.rglob("*") if path.is_file()} == before


def test_a_temporary_place_is_refused(keras: Any, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="temporary directory"):
        reloadgate.save(rich_model(keras), tmp_path / "m/1", probe=batch())
    assert not (tmp_path / "m").exists()


def test_a_save_that_breaks_leaves_nothing(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(model: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras_archive, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        reloadgate.save(rich_model(keras), tmp_path / "m/1", probe=batch(), location="any")
    assert list((tmp_path / "m").iterdir()) == []


def test_a_disk_that_is_full_once_the_artifact_is_flushed_leaves_nothing(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(file: Path) -> None:
        assert file.name == "model.keras"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reloadgate.recording.sync_file", full_disk)
    with pytest.raises(OSError, match=r"m/1 was not saved.*No space left"):
        reloadgate.save(rich_model(keras), tmp_path / "m/1", probe=batch(), location="any")
    assert list((tmp_path / "m").iterdir()) == []


def test_evidence_that_is_written_meanwhile_is_not_flushed_with_the_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = tmp_path / EVIDENCE_DIR
    evidence.mkdir()
    (tmp_path / "model.keras").write_bytes(b"model")
    (evidence / "a temporary name").touch()  # which may be gone before it is opened
    flushed = list[str]()
    for module in ("files", "recording"):
        monkeypatch.setattr(f"reloadgate.{module}.sync_file", lambda file: flushed.append(file.name))
    assert [file.path for file in _flushed(tmp_path, [])] == ["model.keras"] == flushed


def test_an_archive_that_is_written_later_has_every_byte_of_one_that_is_written_at_once(tmp_path: Path) -> None:
    def archived(file: Any) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in (("config.json", b"{}"), ("model.weights.h5", bytes(range(256)) * 1000)):
                with archive.open(zipfile.ZipInfo(name), "w") as member:  # whose header is written once more at its end
                    member.write(content)

    archived(tmp_path / "at once.keras")
    pending = keras_archive._Pending(tmp_path / "later.keras")
    archived(pending)
    assert not (tmp_path / "later.keras").exists()
    pending.write_out()
    assert (tmp_path / "later.keras").read_bytes() == (tmp_path / "at once.keras").read_bytes()


def test_the_artifact_is_written_while_the_model_is_traced(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracing = threading.Event()
    writes_out, makes = keras_archive._Pending.write_out, keras.Model.make_predict_function

    def traced(model: Any, force: bool = False) -> Any:
        tracing.set()
        return makes(model, force=force)

    def waits(pending: Any) -> None:
        assert tracing.wait(60)
        writes_out(pending)

    monkeypatch.setattr(keras.Model, "make_predict_function", traced)
    monkeypatch.setattr(keras_archive._Pending, "write_out", waits)
    version = reloadgate.save(rich_model(keras), tmp_path / "m/1", probe=batch(), steps=0, location="any")
    assert keras.models.load_model(version / "model.keras").count_params() == rich_model(keras).count_params()


def test_a_model_that_saves_itself_does(keras: Any, tmp_path: Path) -> None:
    class Own(keras.Sequential):
        def save(self, path: Any, **named: Any) -> None:
            super().save(path, **named)
            Path(path).with_name("labels.txt").write_text("cat dog")

    model = Own([keras.Input((4,)), keras.layers.Dense(2)])
    assert keras_archive.save(model, tmp_path / "model.keras") is None
    assert (tmp_path / "labels.txt").read_text() == "cat dog"

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save = lambda path: Path(path).write_bytes(b"my own")
    keras_archive.save(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").read_bytes() == b"my own"


def test_where_memory_is_short_nothing_is_kept_to_be_written_later(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.saving import saving_lib

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    monkeypatch.setattr(saving_lib, "is_memory_sufficient", lambda model: False)
    assert keras_archive.save(model, tmp_path / "model.keras") is None
    assert keras.models.load_model(tmp_path / "model.keras").count_params() == 10


def test_values_are_those_from_before_the_predictions(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    predicting, described = threading.Event(), threading.Event()

    def predicts() -> float:
        predicting.set()
        return float(described.wait(30))

    @keras.saving.register_keras_serializable("recording")
    class Counting(keras.layers.Layer):  # type: ignore[misc]
        """Counts its calls, and in a graph ends none before its count is described."""

        def __init__(self, **named: Any) -> None:
            super().__init__(**named)
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x: Any) -> Any:
            counted = self.calls.value.assign_add(1.0)
            if tf.executing_eagerly():
                return x
            with tf.control_dependencies([counted.op]):
                return x * tf.ensure_shape(tf.py_function(predicts, [], tf.float32), ())

    class Telling(ArrayWriter):
        def put(self, name: str, value: Any, whole: bool = False) -> Array:
            if name.startswith("before/"):
                assert predicting.wait(30)
                if "counting" in name:
                    described.set()
            return super().put(name, value, whole)

    monkeypatch.setattr("reloadgate.recording.ArrayWriter", Telling)
    x, y = batch()
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Dense(2), Counting(name="counting")])
    model.compile(optimizer="adam", loss="mse")
    version = reloadgate.save(model, tmp_path / "m/1", probe=(x, y), steps=0, location="any")
    saved, _ = read_saved(version / EVIDENCE_DIR)
    counted = next(one for one in saved.observation.variables if "counting" in one.key)
    assert counted.value.largest == 0
    assert {one.mode for one in saved.observation.outputs} >= {CALL, PREDICT}


def test_a_probe_that_is_no_batch_is_refused_before_anything_is_written(keras: Any, tmp_path: Path) -> None:
    x, y = batch()
    with pytest.raises(UsageError, match="different numbers of rows"):
        reloadgate.save(rich_model(keras), tmp_path / "m/1", probe=(x, y[:3]), location="any")
    assert not (tmp_path / "m").exists()


def test_record_needs_an_artifact_that_it_can_load(keras: Any, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="not a directory"):
        reloadgate.record(rich_model(keras), tmp_path / "none", probe=batch())
    (tmp_path / "weights.bin").write_bytes(b"?")
    with pytest.raises(UsageError, match="loader="):
        reloadgate.record(rich_model(keras), tmp_path, probe=batch())
