"""Every form in which Keras saves a model: what each carries, and that nothing passes by coincidence."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import reloadgate
from damages import reseal
from reloadgate.drill.contents import held
from reloadgate.drill.copies import Copy, Original
from reloadgate.drill.damages import DAMAGES
from reloadgate.errors import UsageError
from reloadgate.evidence import EVIDENCE_DIR, GRAPH_SCHEME, TRAINING, Group, read_saved, write_evidence
from reloadgate.formats import FORMATS, h5, own, saved_model
from reloadgate.policy import Location, Policy, RandomState, policy_from
from reloadgate.project import Subject
from reloadgate.verdict import Status, Verdict

pytestmark = pytest.mark.keras

HERE = Path(__file__).parent
WRITTEN = tuple(name for name in FORMATS if name != own.NAME)
MODELS = ("plain", "branching", "listed", "subclassed", "words")
ODD = (
    "adding_loss",
    "unpacking",
    "two",
    "telling",
    "given_two",
    "results",
    "labels",
    "sampling",
    "scaling",
    "dropping",
    "recompiled",
    "several",
    "transferred",
    "sharing",
    "in_bfloat16",
    "scaled_in_float16",
)
SERVED = ("sampling", "eager", "branching_in_float64", "paired", "named", "rolling")
"""Healthy in ways that a careless observer takes for faults."""

Check = Callable[..., Verdict]


def train(keras: Any, models: Any, name: str) -> tuple[Any, tuple[Any, Any]]:
    """The second of its kind in the process, as in a notebook: Keras numbers its names."""
    import tensorflow as tf

    getattr(models, name)()
    keras.utils.set_random_seed(3)
    model, (x, y) = getattr(models, name)(), models.data(name)
    model.fit(tf.constant(x) if name == "words" else x, y, epochs=2, batch_size=8, verbose=0)
    return model, (x, y)


@pytest.fixture(scope="module")
def versions(keras: Any, models: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A version of each model in every format that can carry it. Never change them: copy."""
    folder, made = tmp_path_factory.mktemp("formats"), {}
    for name in MODELS:
        model, batch = train(keras, models, name)
        formats = [one for one in WRITTEN if one != "h5" or name in ("plain", "branching")]
        made[name] = reloadgate.save(
            model, folder / name / "1", probe=batch, formats=formats, builder=f"models:{name}", imports=("models",),
            code_path=(str(HERE),), location="any",
        )  # fmt: skip
    return made


def test_who_digests_graphs_otherwise_says_so(versions: dict[str, Path]) -> None:
    """Evidence outlives what made it. Where this fails and Keras is the same, raise `GRAPH_SCHEME`, and put both down here."""
    observed = [read_saved(version / EVIDENCE_DIR)[0].observation for version in versions.values()]
    digests = [(g.mode, g.layer, g.operations, g.constants, g.wiring) for one in observed for g in one.graphs]
    assert {one.graph_scheme for one in observed} == {GRAPH_SCHEME}
    assert (GRAPH_SCHEME, hashlib.sha256(repr(digests).encode()).hexdigest()[:12]) == (2, "b48200e756c9")


@pytest.mark.parametrize("name", MODELS)
def test_a_healthy_model_passes_in_every_format_that_can_carry_it(name: str, versions: dict[str, Path], check: Check) -> None:
    verdict = check(versions[name])
    assert verdict.status is Status.PASS, [f"{f.row.artifact} {f.row.group}: {f.message}" for f in verdict.of(Status.FAIL)]
    artifacts = {artifact.path for artifact in read_saved(versions[name] / EVIDENCE_DIR)[0].artifacts}
    for artifact in artifacts:
        assert {"weights", "predictions"} <= {f.row.group for f in verdict.of(Status.PASS) if f.row.artifact == artifact}
    assert {f.row.artifact for f in verdict.of(Status.PASS) if f.row.group == "agreement"} == artifacts - {"model.keras"}
    lost = {(f.row.artifact, f.message) for f in verdict.of(Status.SKIPPED) if f.row.group == "resume"}
    assert lost == {(form.FILE, form.CANNOT) for form in (saved_model, h5) if form.FILE in artifacts}


@pytest.mark.parametrize("name", ODD)
def test_a_healthy_model_passes_however_odd_it_looks(name: str, keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = train(keras, models, name)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    assert any(f.row.group == "resume" for f in verdict.of(Status.PASS))


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize(
    ("source", "subject"),
    [
        ("random", "random"),
        ("numpy.random", "numpy.random"),
        ("tf.random", "train step: RandomUniform"),
        ("truncated", "train step: TruncatedNormal"),
        ("keras.random", "global seed generator"),
        ("model.rng", "model.rng"),
    ],
)
def test_what_training_draws_from_generators_of_the_process_is_no_fault_and_told(
    source: str, subject: str, trained: bool, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """Two processes draw other numbers, and the model is the same; no artifact has the state of such a generator."""
    keras.utils.set_random_seed(3)
    forget_global_seed()
    model, (x, y) = models.mixing(source), models.data("mixing")
    if trained:
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    else:
        model(x)
    before = model.rng.bit_generator.state
    reloadgate.save(model, tmp_path / "1", probe=(x, y), imports=("models",), code_path=(str(HERE),), location="any")
    assert model.rng.bit_generator.state == before
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    assert any(f.row.group == "resume" for f in verdict.of(Status.PASS))
    drawn = "random" if source == "keras.random" and not trained else subject  # which makes that generator
    assert [f.row.subject for f in verdict.of(Status.NOTED) if f.row.group == "random state"] == [drawn]
    strict = check(tmp_path / "1", policy=Policy(random_state=RandomState.ARTIFACT, location=Location.ANY))
    assert [f.row.subject for f in strict.of(Status.FAIL)] == [drawn]


@pytest.mark.parametrize("source", ["random", "numpy.random", "keras.random", "model.rng"])
def test_so_it_is_where_the_train_step_runs_eagerly(source: str, keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    keras.utils.set_random_seed(3)
    model, (x, y) = models.mixing(source, eagerly=True), models.data("mixing")
    model.fit(x, y, batch_size=8, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=(x, y), imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)


def test_what_was_drawn_when_a_layer_was_made_and_is_in_no_file_is_lost(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """Only training shows it, and training is observed with generators that are the same in every process."""
    model, batch = train(keras, models, "shifted")
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.FAIL
    assert {"structure", "resume"} <= set(failing(verdict))


def test_so_it_is_with_the_usual_seed_where_operations_were_deterministic_throughout(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """The fresh process needs a seed then: with the same one it would draw the same."""
    import tensorflow as tf
    from tensorflow.python.framework import config as tf_config

    tf.config.experimental.enable_op_determinism()
    try:
        keras.utils.set_random_seed(0)
        model, batch = models.projected(), models.data("projected")
        model.fit(*batch, epochs=1, batch_size=8, verbose=0)
        reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    finally:
        tf_config.disable_op_determinism()
    verdict = check(tmp_path / "1")
    assert {"structure", "predictions"} <= set(failing(verdict))


OPTIONS: dict[str, Callable[[Any, bool], None]] = {
    "jit": lambda config, on: config.optimizer.set_jit("autoclustering" if on else ""),
    "tensor_float_32_execution": lambda config, on: config.experimental.enable_tensor_float_32_execution(not on),
    "disable_meta_optimizer": lambda config, on: config.optimizer.set_experimental_options({"disable_meta_optimizer": on}),
}
"""How a training script tells `tf.config` of one, and takes it back."""


@pytest.mark.parametrize("option", OPTIONS)
def test_a_fresh_process_computes_with_the_options_of_the_training_script(
    option: str, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """Graphs that are optimized otherwise give other last bits."""
    import tensorflow as tf

    OPTIONS[option](tf.config, True)
    try:
        model, batch = train(keras, models, "plain")
        reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    finally:
        OPTIONS[option](tf.config, False)
    recorded = read_saved(tmp_path / "1/evidence")[0].environment.options
    assert recorded == {option: option != "tensor_float_32_execution"}
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    assert verdict.models[0].environment_changes == ()


@pytest.mark.filterwarnings("ignore:Even though the .*run_functions_eagerly")
@pytest.mark.parametrize(("lost", "status"), [({}, Status.PASS), ({"loss": 90.0}, Status.UNVERIFIED)])
def test_functions_that_a_script_runs_eagerly_are_observed_as_graphs(
    lost: dict[str, float], status: Status, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """They give other last bits; and of a train step that runs eagerly nothing is seen that the probe does not reach."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        model, batch = models.capped(**lost), models.data("capped")
        model.fit(*batch, epochs=1, batch_size=8, verbose=0)
        reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
        assert tf.config.functions_run_eagerly()
    finally:
        tf.config.run_functions_eagerly(False)
    verdict = check(tmp_path / "1")
    assert verdict.status is status, failing(verdict)
    assert [f.row.subject for f in verdict.of(Status.UNVERIFIED)] == ["loss/0.cap", "train step constants"] * bool(lost)


def test_nothing_is_recorded_of_options_that_nobody_set(keras: Any, models: Any, tmp_path: Path) -> None:
    model, batch = train(keras, models, "plain")
    reloadgate.save(model, tmp_path / "1", probe=batch, steps=0, location="any")
    assert read_saved(tmp_path / "1/evidence")[0].environment.options == {}


@pytest.mark.parametrize("seeded", [True, False])
def test_predictions_that_draw_without_a_seed_are_not_proved_and_not_broken(
    seeded: bool, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    import tensorflow as tf

    model, batch = train(keras, models, "noisy")
    try:
        if not seeded:
            tf.random.set_seed(None)
        reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    finally:
        tf.random.set_seed(3)
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.UNVERIFIED, failing(verdict)
    (finding,) = [f for f in verdict.of(Status.UNVERIFIED) if f.row.subject == "predict"]
    assert "Random ops require a seed" in finding.message
    assert "keras.random with a SeedGenerator" in finding.remedy


def test_the_optimizer_of_a_model_within_the_model_is_told_of_and_not_asked_for(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = train(keras, models, "transferred")
    options: dict[str, Any] = {"builder": "models:head", "imports": ("models",), "code_path": (str(HERE),)}
    formats = ("keras", "weights", "checkpoint", "saved_model")
    verdict = check(reloadgate.save(model, tmp_path / "1", probe=batch, formats=formats, location="any", **options))
    assert verdict.status is Status.PASS, failing(verdict)
    told = {(f.row.artifact, f.row.subject) for f in verdict.of(Status.NOTED) if f.row.group == "optimizer"}
    assert told == {(artifact, "layers/sequential/optimizer") for artifact in ("model.keras", "model.weights.h5", "checkpoint")}


def test_a_loss_scale_that_only_the_policy_of_the_process_added_is_lost(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = models.in_policy("mixed_float16"), models.data("plain")
    model.fit(*batch, verbose=0)
    verdict = check(reloadgate.save(model, tmp_path / "1", probe=batch, location="any"))
    (lost,) = [f for f in verdict.of(Status.FAIL) if f.row.subject == "optimizer class"]
    assert "give `compile` a `LossScaleOptimizer`" in lost.message


def test_a_checkpoint_does_not_hold_what_is_of_one_of_several_optimizers(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = train(keras, models, "several")
    options: dict[str, Any] = {"builder": "models:several", "imports": ("models",), "code_path": (str(HERE),)}
    formats = ("weights", "checkpoint")
    verdict = check(reloadgate.save(model, tmp_path / "1", probe=batch, formats=formats, location="any", **options))
    failed = {f.row.artifact for f in verdict.of(Status.FAIL) if f.row.group == "optimizer"}
    assert (verdict.status, failed) == (Status.FAIL, {"checkpoint"})


@pytest.mark.parametrize("name", SERVED)
def test_what_an_export_serves_is_held_against_the_model_however_odd(
    name: str, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """It draws, it was trained eagerly, it is given another dtype or other containers than it serves, which Keras takes, or it
    was not called where it is loaded."""
    model, batch = train(keras, models, name)
    options: dict[str, Any] = {"imports": ("models",), "code_path": (str(HERE),), "location": "any"}
    reloadgate.save(model, tmp_path / "1", probe=batch, formats=("keras", "saved_model"), **options)
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    served = {f.row.subject for f in verdict.of(Status.PASS) if f.row.artifact == "saved_model" and f.row.group == "predictions"}
    assert any(subject.startswith("serve") for subject in served)


def test_a_subclassed_model_is_exported_as_it_was_loaded_and_left_so(keras: Any, models: Any, tmp_path: Path) -> None:
    model, _ = train(keras, models, "rolling")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    saved_model.save(loaded, tmp_path / "exported")
    assert (tmp_path / "exported" / saved_model.GRAPH).is_file()
    assert loaded._called is False


def test_an_optimizer_that_is_there_beside_the_one_that_trains_is_left_unbuilt_by_a_builder_too(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = train(keras, models, "beside")
    recipe: dict[str, Any] = {"builder": "models:beside", "imports": ("models",), "code_path": (str(HERE),)}
    reloadgate.save(model, tmp_path / "1", probe=batch, formats=("keras", "weights", "checkpoint"), location="any", **recipe)
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)


def test_functions_that_an_imported_graph_calls_as_operations_are_looked_into(keras: Any) -> None:
    """As those of the loss for sequences of Keras, which are legacy functions of TensorFlow."""
    import tensorflow as tf

    from reloadgate.live.graphs import graphs, trace

    class Aligned(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            ones = keras.ops.ones((2,), "int32")
            return keras.ops.ctc_loss(keras.ops.ones((2, 2), "int32"), x, ones * 2, ones * 6)

    found = list(graphs(trace(keras.Sequential([keras.Input((6, 5)), Aligned()]), tf.zeros((2, 6, 5)), True, {}), TRAINING, {}))
    assert found


def test_variables_that_nobody_tracks_are_told_in_the_order_of_their_use(keras: Any) -> None:
    """TensorFlow keeps a graph's variables in a set, whose order is that of their addresses."""
    import tensorflow as tf

    from reloadgate.live.graphs import trace, untracked

    bank = [tf.Variable(float(number), name=f"v{number}") for number in range(12)]
    used = [bank[5 * position % len(bank)] for position in range(len(bank))]  # in another order than they were made

    class Banking(keras.Model):
        def call(self, x: Any) -> Any:
            for variable in used:
                x = x * variable
            return x

    found = untracked([trace(Banking(), tf.zeros((2, 3)), False, {})], known=set())
    assert [key for key, _ in found] == [f"untracked/model/{position}" for position in range(len(bank))]
    assert [variable.name for _, variable in found] == [variable.name for variable in used]


def test_a_class_that_adds_nothing_to_a_sequential_may_be_gone(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    """Its own configuration tells of its layers, as that of what the loader gives does."""
    model, batch = train(keras, models, "named_sequential")
    options: dict[str, Any] = {"builder": "models:plain", "imports": ("models",), "code_path": (str(HERE),)}
    reloadgate.save(model, tmp_path / "1", probe=batch, formats=("weights",), location="any", **options)
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)


@pytest.mark.parametrize("name", ["weights", "checkpoint", "keras"])
def test_an_optimizer_is_built_under_the_strategy_of_its_model(
    name: str, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = models.mirrored(), models.data("plain")
    options: dict[str, Any] = {"builder": "models:mirrored", "imports": ("models",), "code_path": (str(HERE),)}
    version = reloadgate.save(model, tmp_path / "1", probe=batch, formats=(name,), location="any", **options)
    model.fit(*batch, verbose=0)  # it had never trained, and still can
    verdict = check(version)
    assert verdict.status is Status.PASS, failing(verdict)
    assert reloadgate.restore(version)[0].optimizer.built


def test_state_that_only_the_steps_use_is_put_back_and_missed_where_it_is_lost(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """A checkpoint holds the queue, Keras' own archive does not."""
    model, batch = train(keras, models, "queueing")
    queue = model.queue.numpy()
    options: dict[str, Any] = {"builder": "models:queueing", "imports": ("models",), "code_path": (str(HERE),)}
    for name in ("checkpoint", "keras"):
        reloadgate.save(model, tmp_path / name / "1", probe=batch, formats=(name,), location="any", **options)
        assert model.queue.numpy().tobytes() == queue.tobytes()
    assert check(tmp_path / "checkpoint/1").status is Status.PASS, failing(check(tmp_path / "checkpoint/1"))
    verdict = check(tmp_path / "keras/1")
    assert "untracked/train step/0" in {f.row.subject for f in verdict.of(Status.FAIL)}


def test_a_policy_that_a_layer_within_a_layer_lost_is_named(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = models.thawing(policy="mixed_bfloat16"), models.data("thawing")
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    (row,) = [f.row for f in check(tmp_path / "1").of(Status.FAIL) if f.row.subject.endswith(".dtype")]
    assert (row.subject, row.expected, row.seen) == ("layers/thawing/statistics.dtype", '"bfloat16"', '"float32"')


def test_what_keras_forgets_of_a_loss_is_named(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    """Its own archive has no `delta`; a builder that names the loss gives it the usual one."""
    batch, options = models.data("plain"), {"builder": "models:huber", "imports": ("models",), "code_path": (str(HERE),)}
    for delta, name in ((0.3, "keras"), (1.0, "weights")):
        model = models.huber(keras.losses.Huber(delta))
        model.fit(*batch, verbose=0)
        reloadgate.save(model, tmp_path / name / "1", probe=batch, formats=(name,), location="any", **options)
    (row, *_) = [f.row for f in check(tmp_path / "keras/1").of(Status.FAIL)]
    assert (row.subject, row.expected, row.seen) == ("loss/0.delta", "0.3", "1.0")
    verdict = check(tmp_path / "weights/1")
    assert verdict.status is Status.PASS, failing(verdict)


def test_what_only_a_test_step_uses_is_missed_where_it_is_lost(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = models.scaling(models.Forgetting), models.data("scaling")
    model.fit(*batch, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    found = {f.row.subject for f in check(tmp_path / "1").of(Status.FAIL)}
    assert found == {"val_scaled per step", "model.scale", "test step constants"}


def test_a_class_without_the_test_step_of_the_saved_one_takes_keras_own(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """Of a model whose test step is Keras' own none is observed, but where the evidence has one to hold it against."""
    model, batch = models.subclassed(models.CallingOn), models.data("plain")
    model.fit(*batch, verbose=0)
    options: dict[str, Any] = {"builder": "models:subclassed", "imports": ("models",), "code_path": (str(HERE),)}
    reloadgate.save(model, tmp_path / "1", probe=batch, formats=("weights",), location="any", **options)
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    assert "val_loss per step" in {f.row.subject for f in verdict.of(Status.PASS)}


def test_a_test_step_that_does_not_take_the_probe_is_told(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = models.scaling(models.Demanding), models.data("scaling")
    model.fit(*batch, epochs=1, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.UNVERIFIED
    assert {(f.row.group, f.row.subject) for f in verdict.of(Status.UNVERIFIED)} >= {(Group.RESUME, "test step")}


@pytest.mark.parametrize(
    ("name", "lost", "subject"),
    [
        ("capped", {}, None),
        ("capped", {"cap": 90.0}, "layers/capped_layer constants"),
        ("capped", {"slope": 90.0}, "layers/capped_layer constants"),
        ("capped", {"factor": 90.0}, "layers/capped_layer constants"),
        ("capped", {"last": 90.0}, "layers/capped_layer constants"),
        ("capped", {"loss": 90.0}, "train step constants"),
        ("capped", {"weights": 90.0}, "train step constants"),
        ("capped", {"optimizer": 90.0}, "train step constants"),
        ("capped", {"eagerly": True}, None),
        ("capped", {"eagerly": True, "cap": 90.0}, "layers/capped_layer constants"),
        ("capped", {"eagerly": True, "loss": 90.0}, "train step constants"),
        ("tabled", {}, None),
        ("tabled", {"last": 90.0}, "layers/tabled constants"),
        ("tabled", {"last": 90.0, "eagerly": True}, "layers/tabled constants"),
        ("tabled", {"loss": 90.0}, "train step constants"),
        ("looking", {}, None),
        ("looking", {"last": 90.0}, "layers/looking constants"),
        ("looking", {"last": 90.0, "within": True}, "layers/looking_within constants"),
        ("staging", {}, "train step constants"),
        ("bounding", {}, None),
        ("bounding", {"layer": 90.0}, "bounded constants"),
        ("bounding", {"model": 90.0}, "model constants"),
        ("bounding", {"model": 90.0, "eagerly": True}, "model constants"),
        ("frozen", {}, None),
        ("frozen", {"factor": 90.0}, "layers/frozen constants"),
        ("interpreted", {}, None),
        ("reading", {}, None),
        ("reading", {"missing": "none"}, "layers/reading constants"),
        ("turning", {}, None),
        ("turning", {"turned": True}, "layers/turning_layer wiring"),
        ("turning", {"crossed": True}, "layers/turning_layer wiring"),
        ("turning", {"loss": True}, "train step wiring"),
        ("shortening", {}, None),
        ("shortening", {"longest": 6}, "layers/shortening._longest"),
        ("remembering", {}, None),
        ("remembering", {"way": "mangled"}, "layers/remembering._Remembering__mangled"),
        ("remembering", {"way": "shown"}, "layers/remembering.shown"),
        ("remembering", {"way": "sizes"}, "layers/remembering.sizes"),
        ("remembering", {"way": "way"}, "layers/remembering.way"),
        ("remembering", {"way": "shorter"}, "layers/remembering.shorter"),
        ("remembering", {"way": "table"}, "layers/remembering.table"),
        ("remembering", {"way": "taken"}, "layers/remembering.taken"),
        ("remembering", {"way": "bounds"}, "layers/remembering.bounds"),
        ("settled", {}, None),
        ("settled", {"bend": "none"}, None),
        ("settled", {"dropped": {1, 3}}, None),
        ("settled", {"spread": 0.4}, None),
        ("settled", {"start": 0.25}, None),
        ("settled", {"eagerly": True}, None),
        ("settled", {"reach": 12}, "layers/settled.half_way"),
        ("settled", {"most": 6}, "layers/settled.cut"),
        ("settled", {"widest": 6}, "layers/settled.widest"),
        ("thawing", {}, None),
        ("thawing", {"momentum": 0.5}, "layers/thawing/statistics.momentum"),
        ("bounding_late", {}, None),
        ("bounding_late", {"bound": 0.5}, "layers/dense/vars/0 when trained"),
        ("judging", {}, None),
        ("judging", {"limit": 500.0}, "test step constants"),
        ("calibrating", {}, None),
        ("calibrating", {"factor": 2.0}, "untracked/test step/1"),
        ("choosing", {}, None),
        ("choosing", {"which": True}, "test step wiring"),
        ("shorter", {}, None),
        ("shorter", {"longest": 6}, "layers/shortening._longest"),
        ("weighing", {}, None),
        ("weighing", {"large": 5.0}, "untracked/train step/0"),
        ("pacing", {}, "model.count"),
        ("pacing", {"eagerly": False}, None),
        ("testing", {}, None),
        ("testing", {"limit": 500.0}, "test step constants"),
        ("testing", {"limit": 500.0, "eagerly": True}, "test step constants"),
    ],
)
def test_what_is_lost_beyond_the_numbers_of_the_probe_is_unverified(
    name: str, lost: dict[str, Any], subject: str | None, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = getattr(models, name)(**lost), models.data("capped")
    if subject is None or name in ("staging", "pacing"):  # healthy also once it was trained; or lost by training alone
        model.fit(*batch, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is (Status.UNVERIFIED if subject else Status.PASS)
    found = [f.row.subject for f in verdict.of(Status.UNVERIFIED) if f.row.group is Group.STRUCTURE]
    graphs = [one for one in found if one.endswith((" constants", " operations", " wiring"))]
    assert (graphs or found) == [subject] * bool(subject)


@pytest.mark.parametrize(
    ("way", "eagerly"),
    [(way, False) for way in ("attribute", "new attribute", "list", "dict", "number", "arrays", "loss")]
    + [("list", True), ("deque", True)],
)
def test_what_a_model_keeps_to_be_looked_at_is_no_difference_and_left_as_it_is(
    way: str, eagerly: bool, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """The one that was trained has something there already, and the one that was reloaded has nothing."""
    model, batch = models.keeping(way, eagerly), models.data("keeping")
    model.fit(*batch, batch_size=8, verbose=0)

    def kept() -> list[Any]:
        numbers = [getattr(model, "rows", None), getattr(model.loss, "calls", None), model.count[0].tolist()]
        return [model.last, *model.all, *model.named.items(), *model.recent, *numbers]

    before = kept()
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    assert all(now is then or now == then for now, then in zip(kept(), before, strict=True))
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    moved = {"number": ["model.rows"], "arrays": ["model.count"], "loss": ["loss/0.calls"]}.get(way, [])
    assert [f.row.subject for f in verdict.of(Status.NOTED) if f.row.group is Group.RESUME] == moved


def test_layers_that_keras_names_anew_are_the_same_layers(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = train(keras, models, "nameless")
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    assert [f.row.subject for f in verdict.of(Status.NOTED) if f.row.group is Group.STRUCTURE] == ["configuration"]


@pytest.mark.parametrize("name", ["Called", "Calling", "Traced", "Summing", "Asserting", "Metering"])
def test_what_keras_numbers_and_tensorflow_has_traced_before_is_no_difference(
    name: str, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    models.numbered(name)  # not the first of its kind in its process
    model, batch = models.numbered(name), models.data("numbered")
    for rows in (8, 5):
        model.fit(*batch, batch_size=rows, verbose=0)
    recipe: dict[str, Any] = {"imports": ("models",), "code_path": (str(HERE),)}
    reloadgate.save(model, tmp_path / "1", probe=batch, location="any", **recipe)
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)


def test_metrics_that_keras_makes_with_the_first_step_move_no_other(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, (x, _) = models.metering_twice(), models.data("metering_twice")
    batch = x, [x[:, :1], x[:, 1:2]]
    model.fit(*batch, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)


def test_what_a_test_step_moves_is_left_as_it_was(keras: Any, models: Any, tmp_path: Path) -> None:
    model, batch = models.calibrating(), models.data("calibrating")
    model.fit(*batch, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    assert model.scale.tests.numpy() == 0.0


@pytest.mark.parametrize("lost", [{}, {"cap": 90.0}])
def test_so_it_is_of_an_artifact_that_only_infers(
    lost: dict[str, Any], keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = models.capped(**lost), models.data("capped")
    model.fit(*batch, verbose=0)
    recipe: dict[str, Any] = {"imports": ("models",), "code_path": (str(HERE),)}
    reloadgate.save(model, tmp_path / "1", probe=batch, formats=("h5",), location="any", **recipe)
    verdict = check(tmp_path / "1", policy_from({"location": "any", "requires": {"version": "infer"}}))
    assert verdict.status is (Status.UNVERIFIED if lost else Status.PASS), failing(verdict)
    named = ["layers/capped_layer.cap", "layers/capped_layer constants"]
    assert [f.row.subject for f in verdict.of(Status.UNVERIFIED)] == named * bool(lost)


def test_numbers_of_an_operation_that_draws_are_among_its_constants(keras: Any) -> None:
    import tensorflow as tf

    from reloadgate.live.graphs import graphs, trace

    def crop(largest: float) -> Any:
        def of(x: Any) -> Any:
            boxes = tf.zeros((1, 1, 4))
            return x + tf.image.sample_distorted_bounding_box([8, 8, 1], boxes, area_range=(0.1, largest)).bboxes[0, 0]

        layer = keras.layers.Lambda(of, output_shape=(4,))
        traced = trace(keras.Sequential([keras.Input((4,)), layer]), tf.zeros((2, 4)), True, {})
        return next(graphs(traced, TRAINING, {}))

    one, same, other = crop(0.5), crop(0.5), crop(0.6)
    assert one == same
    assert (one.operations, one.constants == other.constants) == (other.operations, False)


def test_graphs_that_cannot_be_digested_are_told(
    keras: Any, models: Any, tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = train(keras, models, "plain")
    with monkeypatch.context() as broken:
        broken.setattr("reloadgate.live.observe.graphs", lambda traced, mode: 1 / 0)
        reloadgate.save(model, tmp_path / "1", probe=batch, location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.UNVERIFIED
    assert "graphs" in {f.row.subject for f in verdict.of(Status.UNVERIFIED) if f.row.group is Group.STRUCTURE}


def test_infinities_that_the_model_held_are_no_damage(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = train(keras, models, "masking")
    options: dict[str, Any] = {"builder": "models:masking", "imports": ("models",), "code_path": (str(HERE),)}
    formats = ("keras", "weights", "checkpoint")
    reloadgate.save(model, tmp_path / "1", probe=batch, formats=formats, location="any", **options)
    assert check(tmp_path / "1").status is Status.PASS, failing(check(tmp_path / "1"))


def test_a_model_is_compiled_with_the_determinism_that_it_was_trained_with(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """With it on, Keras compiles nothing for XLA, whose last bits are others."""
    from tensorflow.python.framework import config

    keras.utils.set_random_seed(3)
    config.enable_op_determinism()
    try:
        model, batch = models.plain(), models.data("plain")
        with pytest.warns(UserWarning, match="jit_compile=False"):
            model.compile("adam", "mse", jit_compile=True)
        model.fit(*batch, verbose=0)
        reloadgate.save(model, tmp_path / "1", probe=batch, location="any")
    finally:
        config.disable_op_determinism()
    assert check(tmp_path / "1").status is Status.PASS, failing(check(tmp_path / "1"))


@pytest.mark.parametrize("several", [False, True])
def test_what_a_schedule_does_long_after_the_steps_is_missed_where_it_is_lost(
    several: bool, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = models.dropping(100, several), models.data("dropping")
    model.fit(*batch, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    assert {f.row.subject for f in check(tmp_path / "1").of(Status.FAIL)} == {"optimizer learning rate"}


def test_an_artifact_holds_what_the_model_was_before_its_steps(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    import h5py

    model, batch = train(keras, models, "counting")
    before = model.count.steps
    reloadgate.save(
        model, tmp_path / "1", probe=batch, formats=("weights",), builder="models:counting", imports=("models",),
        code_path=(str(HERE),), location="any",
    )  # fmt: skip
    with h5py.File(tmp_path / "1/model.weights.h5") as file:
        assert file["vars/steps"][()] == before == 6
    assert check(tmp_path / "1").status is Status.PASS, failing(check(tmp_path / "1"))


@pytest.mark.parametrize(("name", "told"), [("rounds", ["model.rounds"]), ("clocked", ["model.clock.rounds"]), ("noting", [])])
def test_what_a_fit_of_the_models_own_reads_is_told_where_it_did_not_come_back(
    name: str, told: list[str], keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """No resumed step goes through it; what it only keeps is of no consequence."""
    model, batch = train(keras, models, name)
    model.fit(*batch, verbose=0)
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is (Status.UNVERIFIED if told else Status.PASS), failing(verdict)
    assert [f.row.subject for f in verdict.of(Status.UNVERIFIED)] == told


@pytest.mark.parametrize(
    ("attribute", "status"),
    [("fit", Status.UNVERIFIED), ("train_function", Status.UNVERIFIED), ("call", Status.PASS)],
)
def test_a_method_that_was_set_on_a_model_is_told_where_it_is_lost_and_no_check_goes_through_it(
    attribute: str, status: Status, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = train(keras, models, "unpacking")
    assert model.train_function is not None  # which Keras made, as a function of its own
    setattr(model, attribute, partial(getattr(model, attribute)))
    reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is status, failing(verdict)
    told = [f for f in verdict.findings if f.row.subject == f"model.{attribute}"]
    assert [f.status for f in told] == [Status.NOTED if status is Status.PASS else status]
    assert "no artifact holds a method" in told[0].message


def test_what_a_step_writes_for_those_who_watch_is_not_written(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(tmp_path / "watched"))
    with writer.as_default():
        model, batch = train(keras, models, "summarising")
        writer.flush()
        (file,) = (tmp_path / "watched").iterdir()
        size = file.stat().st_size
        reloadgate.save(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),), location="any")
        writer.flush()
    assert file.stat().st_size == size
    assert check(tmp_path / "1").status is Status.PASS, [f.message for f in check(tmp_path / "1").of(Status.UNVERIFIED)]


def test_steps_that_end_in_nan_prove_nothing(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, (x, y) = train(keras, models, "results")
    x[3, 1] = float("nan")
    reloadgate.save(model, tmp_path / "1", probe=(x, y), imports=("models",), code_path=(str(HERE),), location="any")
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.UNVERIFIED
    assert any("NaN or infinite after the steps" in f.message for f in verdict.of(Status.UNVERIFIED))


Only = Callable[[str, str], Path]


@pytest.fixture
def only(versions: dict[str, Path], tmp_path: Path) -> Only:
    """A copy of a version with one artifact alone, to be damaged."""

    def copy(name: str, form: str) -> Path:
        version = Path(shutil.copytree(versions[name], tmp_path / name / "1"))
        saved, _ = read_saved(version / EVIDENCE_DIR)
        (artifact,) = (one for one in saved.artifacts if one.format == form)
        for other in version.iterdir():
            if other.name not in (artifact.path, EVIDENCE_DIR):
                shutil.rmtree(other) if other.is_dir() else other.unlink()
        write_evidence(version / EVIDENCE_DIR, replace(saved, artifacts=(artifact,)))
        reseal(version)
        return version

    return copy


def forget_global_seed() -> None:
    """As in a process in which nothing has drawn from `keras.random` without a seed."""
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("global_seed_generator", None)


def failing(verdict: Verdict) -> dict[str, str]:
    return {str(f.row.group): f.message for f in reversed(verdict.of(Status.FAIL))}


def test_a_seeding_builder_passes_nothing_that_the_file_does_not_hold(only: Only, look: Check) -> None:
    """The file's optimizer is gone; what the builder makes would stand there, and zero moments look healthy."""
    import h5py

    version = only("plain", "weights")
    with h5py.File(version / "model.weights.h5", "a") as file:
        del file["optimizer"]
    reseal(version)
    assert "optimizer" in failing(look(version))


SIGNATURES: dict[str, tuple[str, Callable[[Any], Any], set[str]]] = {
    "the same": ("plain", lambda one: {"output_0": one}, set()),
    "another": ("plain", lambda one: {"output_0": 2.0 * one}, {"serve: output"}),
    "under another name": ("plain", lambda one: {"answer": one}, {"serving_default"}),
    "both of a list": ("paired", lambda both: {"output_0": both[0], "output_1": both[1]}, set()),
    "one of a list": ("paired", lambda both: {"output_0": both[0], "output_1": 2.0 * both[1]}, {"serve: 1"}),
    "less of a list": ("paired", lambda both: {"output_0": both[0]}, {"serving_default"}),
    "one of a dict": ("branching", lambda both: {**both, "yes": 2.0 * both["yes"]}, {"serve: yes"}),
}
"""By what it answers: of which model, what it makes of what Python is answered, and which rows do not hold."""


@pytest.mark.parametrize("which", SIGNATURES)
def test_what_a_server_is_answered_is_held_against_the_model_too(
    which: str, keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    """The signature is another function than what Python calls, which serves what it did."""
    import tensorflow as tf

    name, answer, subjects = SIGNATURES[which]
    model, batch = train(keras, models, name)
    version = reloadgate.save(model, tmp_path / "1", probe=batch, formats=("saved_model",), location="any")
    served = tf.saved_model.load(str(version / "saved_model"))
    ((structure,), _) = served.serve.concrete_functions[0].structured_input_signature

    @tf.function(input_signature=tf.nest.flatten(structure))
    def signature(*leaves: Any) -> Any:
        return answer(served.serve(tf.nest.pack_sequence_as(structure, leaves)))

    tf.saved_model.save(served, str(version / "saved_model"), signatures={"serving_default": signature})
    reseal(version)
    verdict = check(version, policy_from({"location": "any", "requires": {"version": "infer"}}))
    found = (*verdict.of(Status.FAIL), *verdict.of(Status.UNVERIFIED))
    assert {finding.row.subject for finding in found if finding.row.group is Group.PREDICTIONS} == subjects
    assert (verdict.status is Status.PASS) is (not subjects)


def test_variables_that_no_file_fills_are_no_numbers(keras: Any) -> None:
    import numpy as np

    from reloadgate.evidence import Recipe
    from reloadgate.formats.built import built

    model = built(Recipe(loader=None, builder="models:plain", imports=(), code_path=()), None)
    assert all(np.isnan(variable.numpy()).all() for variable in model.weights if "seed" not in variable.path)
    assert all(np.isnan(variable.numpy()).all() for variable in model.optimizer.variables[1:])
    assert int(model.optimizer.iterations.numpy()) < 0


def test_a_checkpoint_without_the_optimizer_cannot_resume(keras: Any, models: Any, only: Only, check: Check) -> None:
    import tensorflow as tf

    version = only("plain", "checkpoint")
    shutil.rmtree(version / "checkpoint")
    bare, _ = train(keras, models, "plain")
    weights = keras.Sequential(bare.layers)  # the same layers, without an optimizer
    weights.build((None, 4))
    tf.train.CheckpointManager(tf.train.Checkpoint(model=weights), str(version / "checkpoint"), max_to_keep=1).save()
    reseal(version)
    assert {"optimizer", "resume"} <= {*failing(check(version))}


def move_pointer(folder: Path) -> None:
    state = folder / "checkpoint"
    state.write_text(state.read_text().replace("ckpt-1", "ckpt-9"))


def second_checkpoint(folder: Path) -> None:
    (folder / "checkpoint").unlink()
    for path in list(folder.glob("ckpt-1.*")):
        shutil.copy(path, folder / path.name.replace("ckpt-1", "ckpt-2"))


@pytest.mark.parametrize(
    ("form", "damage", "group", "part"),
    [
        ("checkpoint", move_pointer, "inspect", "ckpt-9.index: the checkpoint has no index"),
        ("checkpoint", second_checkpoint, "load", "2 checkpoints lie there"),
        ("checkpoint", lambda folder: next(folder.glob("*.data-*")).unlink(), "inspect", "the shard is missing"),
        ("saved_model", lambda folder: (folder / "saved_model.pb").unlink(), "inspect", "saved_model.pb"),
        ("keras_directory", lambda folder: (folder / "config.json").unlink(), "inspect", "config.json"),
        ("weights", lambda file: file.write_bytes(file.read_bytes()[:2000]), "inspect", "truncated"),
        ("h5", lambda file: file.write_bytes(b""), "inspect", "it has no bytes"),
    ],
)
def test_what_is_damaged_says_so(
    form: str, damage: Callable[[Path], None], group: str, part: str, only: Only, look: Check
) -> None:
    version = only("plain", form)
    damage(version / FORMATS[form].FILE)
    reseal(version)
    assert part in failing(look(version)).get(group, "")


def test_a_version_in_which_something_is_no_file_fails(only: Only, look: Check) -> None:
    version = only("plain", "keras")
    os.mkfifo(version / "queue")
    assert "no file" in failing(look(version)).get("integrity", "")


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(("name", "form"), [("plain", "saved_model"), ("listed", "keras")])
def test_a_value_that_is_stored_twice_is_held_against_the_evidence_in_both_places(
    name: str, form: str, place: int, versions: dict[str, Path], tmp_path: Path, look: Check
) -> None:
    """One ULP, which no prediction need notice; which of the two is loaded is Keras' own affair."""
    original = Original(Subject(name=name, path=str(versions[name])), None)
    (artifact,) = (one for one in original.saved.artifacts if one.format == form)
    copy = Copy(original, (artifact,), tmp_path / "copy/1")
    next(one for one in DAMAGES if one.name == f"the {('first', 'second')[place]} of two places by one ULP").apply(copy)
    copy.match()
    copy.seal()
    assert Group.WEIGHTS in {f.row.group for f in look(copy.version).of(Status.FAIL)}


@pytest.mark.parametrize("place", [0, 1])
def test_values_of_an_export_that_changed_places_in_one_of_two_are_noticed(
    place: int, versions: dict[str, Path], tmp_path: Path, look: Check
) -> None:
    """Each is the value of a live variable, only of another one; one of the two places is what nothing reads."""
    original = Original(Subject(name="plain", path=str(versions["plain"])), None)
    (artifact,) = (one for one in original.saved.artifacts if one.format == "saved_model")
    copy = Copy(original, (artifact,), tmp_path / "copy/1")
    with held(copy) as variables:
        one, other, *_ = (v.key for v in variables.trained() if v.value.shape == (8,) and variables.is_twice(v.key))
        values = variables[one], variables[other]
        variables.put(one, place, values[1])
        variables.put(other, place, values[0])
    copy.match()
    copy.seal()
    verdict = look(copy.version)
    assert {one, other} <= {finding.row.subject for finding in verdict.of(Status.FAIL) if finding.row.group is Group.WEIGHTS}


def test_a_sibling_of_another_moment_disagrees(
    keras: Any, models: Any, versions: dict[str, Path], tmp_path: Path, check: Check
) -> None:
    version = Path(shutil.copytree(versions["plain"], tmp_path / "1"))
    shutil.rmtree(version / "saved_model")
    model, batch = train(keras, models, "plain")
    model.fit(*batch, epochs=1, verbose=0)
    model.export(str(version / "saved_model"), verbose=False)
    reseal(version)
    found = [f for f in check(version).of(Status.FAIL) if f.row.artifact == "saved_model"]
    assert {"weights", "predictions", "agreement"} <= {str(f.row.group) for f in found}


def test_what_infers_is_no_version_until_the_policy_says_so(only: Only, check: Check) -> None:
    version = only("plain", "saved_model")
    assert saved_model.CANNOT in failing(check(version))["agreement"]
    assert check(version, policy_from({"location": "any", "requires": {"version": "infer"}})).status is Status.PASS
    strict = check(version, policy_from({"location": "any", "requires": {"version": "infer", "saved_model": "resume"}}))
    assert "the policy requires that it can resume" in failing(strict)["agreement"]


def test_a_graph_of_keras_that_tensorflow_saved_passes(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    import tensorflow as tf

    model, batch = train(keras, models, "branching")
    tf.saved_model.save(model, str(tmp_path / "1/graph"))
    model.save(tmp_path / "1/model.keras")
    reloadgate.record(model, tmp_path / "1", probe=batch, imports=("models",), code_path=(str(HERE),))
    verdict = check(tmp_path / "1")
    assert verdict.status is Status.PASS, failing(verdict)
    assert {f.row.artifact for f in verdict.of(Status.PASS)} >= {"graph", "model.keras"}


def test_sharded_weights_pass_and_a_missing_shard_is_named(keras: Any, models: Any, tmp_path: Path, check: Check) -> None:
    model, batch = train(keras, models, "plain")
    (tmp_path / "1").mkdir()
    model.save_weights(tmp_path / "1/model.weights.json", max_shard_size=2e-7)
    reloadgate.record(model, tmp_path / "1", probe=batch, builder="models:plain", code_path=(str(HERE),))
    assert check(tmp_path / "1").status is Status.PASS
    shards = json.loads((tmp_path / "1/model.weights.json").read_text())["weight_map"].values()
    (tmp_path / "1" / sorted(name for names in shards for name in names)[-1]).unlink()
    reseal(tmp_path / "1")
    assert "which is missing" in failing(check(tmp_path / "1"))["inspect"]


def test_a_legacy_file_written_first_damages_what_is_saved_next_and_it_shows(
    keras: Any, models: Any, tmp_path: Path, check: Check
) -> None:
    model, batch = train(keras, models, "plain")
    (tmp_path / "1").mkdir()
    model.save(tmp_path / "1/model.h5")
    model.save(tmp_path / "1/model.keras")
    reloadgate.record(model, tmp_path / "1", probe=batch)
    assert {"compile", "resume"} & {*failing(check(tmp_path / "1"))}


def test_formats_without_architecture_ask_for_a_builder(keras: Any, models: Any, tmp_path: Path) -> None:
    model, batch = train(keras, models, "plain")
    with pytest.raises(UsageError, match="weights holds no architecture"):
        reloadgate.save(model, tmp_path / "1", probe=batch, formats=("keras", "weights"), location="any")
    assert not (tmp_path / "1").exists()
