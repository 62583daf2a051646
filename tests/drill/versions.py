"""A model version with its evidence, made without TensorFlow: what the tests of the drill damage."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from builders import ENVIRONMENT, probe
from inspection.artifacts import POLICY, archive, hdf5, write_bundle
from reloadgate.arrays import ArrayWriter
from reloadgate.evidence import (
    EVIDENCE_DIR,
    Artifact,
    Capability,
    FormatName,
    Kind,
    Log,
    Observation,
    Output,
    Progress,
    Recipe,
    SavedEvidence,
    Silent,
    Variable,
    write_evidence,
)
from reloadgate.files import sha256_file
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.project import Subject, VersionRecord
from reloadgate.recording import manifest

KERAS = Artifact(format=FormatName.KERAS, path="model.keras", capability=Capability.RESUME)
FOLDER = Artifact(format=FormatName.KERAS_DIRECTORY, path="model_keras", capability=Capability.RESUME)
WEIGHTS = Artifact(format=FormatName.WEIGHTS, path="model.weights.h5", capability=Capability.RESUME)
LEGACY = Artifact(format=FormatName.H5, path="model.h5", capability=Capability.INFER)
CHECKPOINT = Artifact(format=FormatName.CHECKPOINT, path="checkpoint", capability=Capability.RESUME)
SERVED = Artifact(format=FormatName.SAVED_MODEL, path="saved_model", capability=Capability.INFER)

SHAPES: dict[str, tuple[str, tuple[int, ...], bool]] = {
    # storage path: Keras' path, shape, whether it is trained
    "layers/dense/vars/0": ("m/first/kernel", (4, 4), True),
    "layers/dense/vars/1": ("m/first/bias", (4,), True),
    "layers/dense_1/vars/0": ("m/second/kernel", (4, 4), True),
    "layers/dense_1/vars/1": ("m/second/bias", (4,), True),
    "layers/batch_normalization/vars/2": ("m/normal/moving_mean", (4,), False),
    "layers/batch_normalization/vars/3": ("m/normal/moving_variance", (4,), False),
    "layers/normalization/vars/2": ("m/scaled/count", (), False),
}
NUMBERS = {
    "iteration": np.int64(40),
    "learning_rate": np.float32(0.001),
    "dynamic_scale": np.float32(8),
    "step_counter": np.int64(3),
}


def arrays() -> tuple[dict[str, Any], dict[str, str]]:
    """Values and Keras' paths by storage path: an Adam with averages, within a loss scale."""
    random = np.random.default_rng(5)
    found: dict[str, Any] = {
        key: np.int64(7) if not shape else random.normal(1, 0.3, shape).astype(np.float32)
        for key, (_, shape, _) in SHAPES.items()
    }
    paths = {key: path for key, (path, _, _) in SHAPES.items()}
    slots = [(f"loss_scale/{name}", value) for name, value in NUMBERS.items()]
    for path, shape, trained in SHAPES.values():
        own = path.replace("/", "_")
        slots += [
            (f"adam/{own}_{kind}", random.random(shape).astype(np.float32))
            for kind in ("momentum", "velocity", "average") if trained
        ]  # fmt: skip
    for number, (path, value) in enumerate(slots):
        found[f"optimizer/vars/{number}"], paths[f"optimizer/vars/{number}"] = value, path
        if path.startswith("adam/"):  # of the optimizer within: Keras stores it there too
            key = f"optimizer/inner_optimizer/vars/{number}"
            found[key], paths[key] = value, key
    return found, paths


def config() -> dict[str, Any]:
    """Of everything that a damage looks for, one."""

    def layer(name: str, kind: str, module: str = "keras.layers", **settings: Any) -> dict[str, Any]:
        given = {"name": name, "trainable": True, "dtype": POLICY} | settings
        return {"module": module, "class_name": kind, "config": given, "registered_name": None}

    dense = {
        "units": 4,
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "kernel_regularizer": None,
    }
    custom = layer("cultivar", "Prototypes", "zoo", points=3, width=0.5) | {"registered_name": "acme>Prototypes"}
    regularizer = {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.1}, "registered_name": None}
    merged = layer("both", "Concatenate") | {
        "inbound_nodes": [{"args": [[{"config": {"n": 0}}, {"config": {"n": 1}}]], "kwargs": {}}]
    }
    schedule = {"module": "s", "class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 9}}
    adam = {
        "name": "adam", "learning_rate": schedule, "beta_1": 0.9, "beta_2": 0.999, "rho": 0.9, "momentum": 0.5, "epsilon": 1e-7,
        "amsgrad": False, "nesterov": False, "centered": False, "use_ema": True, "ema_momentum": 0.99, "weight_decay": 0.01,
        "clipnorm": 1.0, "global_clipnorm": 1.0, "clipvalue": 1.0, "gradient_accumulation_steps": 2,
    }  # fmt: skip
    inner = {"module": "keras.optimizers", "class_name": "Adam", "config": adam, "registered_name": None}
    outer = {"module": "keras.optimizers", "class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner}}
    loss = {"from_logits": True, "reduction": "sum", "label_smoothing": 0.0, "ignore_class": None}
    return {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {
            "name": "m",
            "layers": [
                layer("scaled", "Rescaling", scale=0.5),
                layer("buckets", "Discretization", bin_boundaries=[1.0, 2.0]),
                layer("kinds", "StringLookup", vocabulary=["a", "b", "c"]),
                layer("read", "Embedding", mask_zero=True),
                layer("first", "Dense", **dense),
                layer("second", "Dense", **dense | {"kernel_constraint": "nonneg"}),
                layer("third", "Dense", **dense | {"bias_regularizer": regularizer}),
                layer("normal", "BatchNormalization", momentum=0.99, epsilon=0.001),
                layer("leaky", "LeakyReLU", negative_slope=0.3),
                layer("gru", "GRU", recurrent_activation="sigmoid", go_backwards=False, return_sequences=False),
                layer("two", "Bidirectional", merge_mode="concat"),
                layer("conv", "Conv1D", padding="same"),
                layer("crop", "Cropping1D", cropping=[0, 4]),
                layer("dropout", "Dropout", rate=0.3, seed=1),
                merged,
                custom,
            ],
            "output_layers": {"a": ["first", 0, 0], "b": ["second", 0, 0]},
        },
        "compile_config": {
            "optimizer": outer,
            "loss": {"module": "keras.losses", "class_name": "MeanSquaredError", "config": loss},
            "loss_weights": {"a": 1.0, "b": 0.5},
            "metrics": ["accuracy"],
            "weighted_metrics": ["accuracy"],
            "run_eagerly": False,
            "steps_per_execution": 1,
            "jit_compile": False,
        },
    }


def members() -> dict[str, bytes]:
    return {
        "metadata.json": b'{"keras_version": "3.15.1"}',
        "config.json": json.dumps(config()).encode(),
        "model.weights.h5": hdf5(arrays()[0]),
        "assets/layers/text_vectorization/vocabulary.txt": "\n".join(("", "[UNK]", "b", "a", "n")).encode(),
    }


def _legacy(path: Path) -> None:
    values, paths = arrays()
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config())
        for key, keras_path in paths.items():
            folder = "optimizer_weights" if key.startswith("optimizer") else f"model_weights/{keras_path.split('/')[1]}"
            file[f"{folder}/{keras_path}"] = values[key]


def _bundle(folder: Path, prefix: str) -> None:
    """The values as TensorFlow keeps them: by attributes of Python objects, and one of them twice."""
    folder.mkdir(parents=True)
    values, _ = arrays()
    tensors = {f"model/{key}": value for key, value in values.items()} | {"twice": values["layers/dense_1/vars/0"]}
    write_bundle(folder / prefix, {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": value for name, value in tensors.items()})


def _observation(writer: ArrayWriter) -> Observation:
    values, paths = arrays()
    variables = []
    for key, value in values.items():
        trained = key in SHAPES and SHAPES[key][2]
        kind = Kind.WEIGHT if key in SHAPES else Kind.ASSET if "inner" in key else Kind.SLOT
        later = value if kind is Kind.WEIGHT and not trained else (value * 2).astype(value.dtype)
        variables.append(
            Variable(
                key=key, path=paths[key], name="", kind=kind, trainable=trained, noise=0.0,
                value=writer.put(f"before/{key}", value), final=writer.put(f"after/{key}", later),
            )
        )  # fmt: skip
    stored = tuple(variable for variable in variables if variable.kind is Kind.ASSET)
    listed = tuple(variable for variable in variables if variable.kind is not Kind.ASSET)
    predicted = np.eye(5, 4, dtype=np.float32)[:, [0, 1, 2, 2]] * 2
    put = writer.put("predict/output", predicted)
    return Observation(
        class_name="Sequential", config={}, compile_config={}, compiled=True, variables=listed, assets=stored,
        optimizers=(),
        outputs=(Output(mode="predict", name="output", value=put, noise=0.0, constant=False),),
        steps=3, logs=(Log(name="loss", values=writer.put("log/loss", np.array([0.9, 0.8, 0.7])), noise=0.0),),
        moved_attributes=(), graphs=(), notes=(), silent=(Silent(layer="layers/dense", units=1, of=4),),
    )  # fmt: skip


def write_version(version: Path, *artifacts: Artifact) -> SavedEvidence:
    """Write the artifacts and the evidence of a version; by default, one of every format."""
    artifacts = artifacts or (KERAS, FOLDER, WEIGHTS, LEGACY, CHECKPOINT, SERVED)
    evidence = version / EVIDENCE_DIR
    evidence.mkdir(parents=True)
    for artifact in artifacts:
        path = version / artifact.path
        match artifact:
            case _ if artifact is KERAS:
                path.write_bytes(archive(members()))
            case _ if artifact is FOLDER:
                for name, content in members().items():
                    (path / name).parent.mkdir(parents=True, exist_ok=True)
                    (path / name).write_bytes(content)
            case _ if artifact is WEIGHTS:
                path.write_bytes(hdf5(arrays()[0]))
            case _ if artifact is LEGACY:
                _legacy(path)
            case _ if artifact is CHECKPOINT:
                _bundle(path, "ckpt-1")
                (path / "checkpoint").write_text('model_checkpoint_path: "ckpt-1"\n')
            case _:
                _bundle(path / "variables", "variables")
                (path / "saved_model.pb").write_bytes(b"a graph")
                (path / "assets").mkdir()
                (path / "assets/vocabulary.txt").write_text("a\nb\n")
    writer = ArrayWriter()
    observation = _observation(writer)
    writer.write(evidence / "arrays.npz")
    probe(5).write(evidence / "probe.npz")
    saved = SavedEvidence(
        schema_version=SCHEMA_VERSION, progress=Progress(epoch=1, batch=0, step=40), artifacts=artifacts, files=manifest(version),
        recipe=Recipe(loader=None, builder=None, imports=(), code_path=(".",)), environment=ENVIRONMENT, hash_seed="random",
        observation=observation, arrays_sha256=sha256_file(evidence / "arrays.npz")[0],
        probe_sha256=sha256_file(evidence / "probe.npz")[0],
    )  # fmt: skip
    write_evidence(evidence, saved)
    return saved


def record_of(subject: Subject, saved: SavedEvidence) -> VersionRecord:
    return VersionRecord(
        schema_version=SCHEMA_VERSION, name=subject.name, path=subject.path, evidence_sha256="0" * 64, files=saved.files
    )
