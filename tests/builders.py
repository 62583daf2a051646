"""Evidence without a model: valid nouns of every kind, in the files that `compare` and `gate` read.

The arrays of an observation go by the names that the observer gives them: `before/<key>`, `after/<key>`, `call/<output>`,
`log/<name>`, `learning_rate/<optimizer>`, `asset/<key>`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reloadgate.arrays import Array, ArrayReader, ArrayWriter
from reloadgate.compare import compare
from reloadgate.comparison import ArtifactFacts, Comparison, Difference, ModelComparison, Outcome, Row
from reloadgate.evidence import (
    EVIDENCE_DIR,
    PREDICT,
    TRAIN_STEP,
    TRAINING,
    Artifact,
    Attribute,
    Capability,
    Check,
    Environment,
    File,
    FormatName,
    Graph,
    Group,
    Kind,
    Log,
    Observation,
    Optimizer,
    Output,
    Progress,
    Recipe,
    ReloadedEvidence,
    SavedEvidence,
    Silent,
    Tried,
    Variable,
    Warned,
    write_evidence,
)
from reloadgate.files import project_root, sha256_file
from reloadgate.nouns import SCHEMA_VERSION, canonical, digest, to_dict
from reloadgate.probe import Probe
from reloadgate.project import Subject, VersionRecord, folder_of, read_records, write_record

Values = Mapping[str, Any]
Changed = Callable[[Observation], Observation]

ENCODER, DECODER, LARGE, MEAN = "layers/dense/vars/0", "layers/dense_1/vars/0", "layers/wide/vars/0", "layers/norm/vars/2"
TIED = "layers/tied/vars/0"
"""Where the encoder's variable lies once more, because another layer holds it too."""
SEED, STATE = "layers/dropout/seed_generators/0", "layers/rnn/states/0"
UNTRACKED = "untracked/layers/encoder/0"
ITERATIONS, MOMENTUM = "optimizer/vars/0", "optimizer/vars/2"
VOCABULARY = "layers/lookup/vocabulary.txt"

ARTIFACT = Artifact(format=FormatName.KERAS, path="model.keras", capability=Capability.RESUME)

ENVIRONMENT = Environment(
    python="3.11.9",
    platform="Linux",
    machine="x86_64",
    processor="avx2",
    cpus=2,
    intra_op_threads=2,
    inter_op_threads=2,
    numpy="2.4.6",
    tensorflow="2.21.0",
    keras="3.15.1",
    devices=("/device:CPU:0",),
    deterministic=False,
    settings={"TF_ENABLE_ONEDNN_OPTS": "1"},
    options={"layout_optimizer": False},
)

CONFIG: dict[str, Any] = {
    "class_name": "Functional",
    "config": {"name": "digits", "layers": [{"class_name": "Dense", "config": {"units": 3, "use_bias": True, "rate": 0.5}}]},
}
ADAM: dict[str, Any] = {
    "class_name": "Adam",
    "module": "keras.optimizers",
    "registered_name": None,
    "config": {"name": "adam", "learning_rate": 0.002, "amsgrad": False, "weight_decay": None},
}
COMPILE_CONFIG: dict[str, Any] = {"optimizer": ADAM, "loss": "mse", "metrics": ["accuracy"], "loss_weights": None}


def values(**changes: Any) -> dict[str, Any]:
    """Every array of the observed model, by name; every step moved all that trains."""
    random = np.random.default_rng(7)
    made: dict[str, Any] = {}

    def moving(key: str, before: np.ndarray, step: Any = 0.125) -> None:
        made[f"before/{key}"], made[f"after/{key}"] = before, (before + step).astype(before.dtype)

    for key, shape in (
        (ENCODER, (4, 3)),
        (DECODER, (4, 3)),
        (LARGE, (130, 130)),
        (MEAN, (3,)),
        (STATE, (2, 3)),
        (UNTRACKED, (2,)),
        (MOMENTUM, (4, 3)),
    ):
        moving(key, random.normal(size=shape).astype(np.float32))
    moving(SEED, np.array([1, 2], np.uint32), np.array([0, 3], np.uint32))
    moving(ITERATIONS, np.array(40, np.int64), 3)
    made[f"asset/{VOCABULARY}"] = np.frombuffer(b"[UNK]\nnine\n", dtype=np.uint8)
    made["call/output"] = random.normal(size=(5, 3)).astype(np.float32)
    made["predict/output"] = made["call/output"]
    made["metric/loss/0"] = np.float32(1.5)
    made["learning_rate/optimizer"] = np.float32(0.002)
    made["log/loss"], made["log/accuracy"] = np.array([0.9, 0.8, 0.7]), np.array([0.5, 0.5, 0.75])
    return made | changes


def variable(arrays: dict[str, Array], key: str, kind: Kind, name: str = "", trainable: bool = False) -> Variable:
    return Variable(
        key=key, path=f"digits/{key}", name=name, kind=kind, trainable=trainable,
        value=arrays[f"before/{key}"], final=arrays[f"after/{key}"], noise=0.0,
    )  # fmt: skip


def observed(arrays: Values) -> tuple[Observation, ArrayWriter]:
    """The observation of a model that holds these arrays: a variable of every kind, an optimizer, outputs and logs."""
    writer = ArrayWriter()
    put = {name: writer.put(name, value, whole=name.startswith(("call", "predict"))) for name, value in arrays.items()}
    vocabulary, metric = (
        Variable(key=key, path=key, name="", kind=kind, trainable=False, value=put[f"{kind}/{key}"], final=None, noise=0.0)
        for kind, key in ((Kind.ASSET, VOCABULARY), (Kind.METRIC, "loss/0"))
    )
    observation = Observation(
        class_name="Functional",
        config=CONFIG,
        compile_config=COMPILE_CONFIG,
        compiled=True,
        variables=(
            replace(variable(put, ENCODER, Kind.WEIGHT, "encoder/kernel", trainable=True), also=(TIED,)),
            variable(put, DECODER, Kind.WEIGHT, "decoder/kernel", trainable=True),
            variable(put, LARGE, Kind.WEIGHT, trainable=True),
            replace(variable(put, MEAN, Kind.WEIGHT), treatment="L2"),
            variable(put, SEED, Kind.RANDOM_STATE),
            variable(put, STATE, Kind.RECURRENT_STATE),
            variable(put, UNTRACKED, Kind.UNTRACKED),
            variable(put, ITERATIONS, Kind.SLOT),
            variable(put, MOMENTUM, Kind.SLOT),
        ),
        assets=(vocabulary,),
        optimizers=(
            Optimizer(
                key="optimizer", class_name="Adam", config=ADAM, learning_rate=put["learning_rate/optimizer"], slots=2,
                was_built=True,
            ),
        ),
        outputs=tuple(
            Output(mode=mode, name="output", value=put[f"{mode}/output"], noise=0.0, constant=False)
            for mode in ("call", "predict")
        ),
        steps=3,
        logs=tuple(Log(name=name, values=put[f"log/{name}"], noise=0.0) for name in ("accuracy", "loss")),
        moved_attributes=("batches_seen",),
        graphs=tuple(
            Graph(layer=layer, operations="a" * 64, constants="b" * 64, wiring="c" * 64, random_operations=(), mode=mode)
            for layer, mode in (("layers/encoder", TRAINING), ("layers/encoder", PREDICT), (TRAIN_STEP, TRAINING))
        ),
        notes=(),
        metrics=(metric,),
        silent=(Silent(layer="layers/encoder", units=1, of=3),),
        generators=("numpy.random",),
        attributes=(
            Attribute(key="layers/encoder.limit", value="8.0", argument=True),
            Attribute(key="layers/encoder.calls", value="3.0", argument=False),
        ),
        execution={"jit_compile": True, "run_eagerly": False},
    )  # fmt: skip
    return observation, writer


@dataclass(frozen=True)
class Built:
    """A model version with its evidence, and the evidence of its reload, on disk."""

    subject: Subject
    evidence: Path
    saved: SavedEvidence
    reloaded: ReloadedEvidence

    @property
    def folder(self) -> Path:
        """Where the reloaded evidence lies."""
        return folder_of(self.evidence, self.subject.name, self.reloaded.artifact)

    @property
    def sealed(self) -> Path:
        """Where the saved evidence lies."""
        return self.subject.directory / EVIDENCE_DIR

    def compare(self, records: dict[str, VersionRecord] | None = None) -> Comparison:
        return compare([self.subject], self.evidence, records)

    def compare_with(self, reloaded: ReloadedEvidence) -> Comparison:
        """The comparison where the reload had left this instead, sealed as `write_evidence` does, and without its fsync."""
        data = to_dict(reloaded)
        sealed = {"schema_version": reloaded.schema_version, "sha256": digest(data), "record": data}
        (self.folder / "evidence.json").write_bytes(canonical(sealed))
        return self.compare()

    def record(self, records: Path) -> dict[str, VersionRecord]:
        """Leave the version's record, as training does; all records of that folder."""
        write_record(self.subject.directory, records)
        return read_records(records)


def build(
    root: Path,
    name: str = "digits",
    *,
    then: Changed = lambda observation: observation,
    now: Changed = lambda observation: observation,
    before: Values | None = None,
    changed: Values | None = None,
    **reloaded: Any,
) -> Built:
    """Write `models/<name>/1.0.0` with its evidence and `reports/evidence/<name>` below a folder.

    Args:
        then, now: what to change in the saved and in the reloaded observation.
        before: arrays of both sides that are not the usual ones.
        changed: arrays that are others after the reload.
        reloaded: fields of the reloaded evidence.
    """
    if project_root(root.absolute()) is None:
        (root / ".dvc").mkdir(parents=True)  # a place of tests vanishes as a whole
    version, evidence = root / "models" / name / "1.0.0", root / "reports/evidence"
    saved = write_saved(version, then, values(**(before or {})))
    seen, arrays = observed(values(**(before or {})) | dict(changed or {}))
    observation = now(seen)
    folder = folder_of(evidence, name, ARTIFACT)
    arrays.write(folder / "arrays.npz")
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "artifact": ARTIFACT,
        "saved_sha256": digest(to_dict(saved)),
        "files": saved.files,
        "loaded": True,
        "error": "",
        "warnings": (Warned(category="UserWarning", message="something harmless"),),
        "checks": tuple(
            Check(group=group, subject="model", tried=Tried.HOLDS, message="")
            for group in (Group.INSPECT, Group.LOCATION, Group.CONTAINMENT, Group.ROUND_TRIP, Group.RELOCATION)
        ),
        "environment": saved.environment,
        "hash_seed": "4051",
        "stored_config": CONFIG | {"compile_config": COMPILE_CONFIG},
        "stored_variables": {
            key: v.value.sha256 for v in observation.variables if v.kind in (Kind.WEIGHT, Kind.SLOT) for key in (v.key, *v.also)
        },
        "observation": observation,
        "seconds": 1.5,
        "arrays_sha256": sha256_file(folder / "arrays.npz")[0],
    }
    evidence_of_reload = ReloadedEvidence(**(fields | reloaded))
    write_evidence(folder, evidence_of_reload)
    return Built(Subject(name=name, path=version.as_posix()), evidence, saved, evidence_of_reload)


def write_saved(version: Path, then: Changed, arrays: Values) -> SavedEvidence:
    """A version's `model.keras` (no such thing, but bytes), probe, arrays and evidence."""
    folder = version / EVIDENCE_DIR
    folder.mkdir(parents=True)
    (version / ARTIFACT.path).write_bytes(b"the bytes of a model")
    observation, writer = observed(arrays)
    writer.write(folder / "arrays.npz")
    probe(5).write(folder / "probe.npz")
    sha256, size = sha256_file(version / ARTIFACT.path)
    saved = SavedEvidence(
        schema_version=SCHEMA_VERSION,
        progress=Progress(epoch=2, batch=0, step=90),
        artifacts=(ARTIFACT,),
        files=(File(path=ARTIFACT.path, sha256=sha256, size=size),),
        recipe=Recipe(loader=None, builder=None, imports=("stages.zoo",), code_path=(".",)),
        environment=ENVIRONMENT,
        hash_seed="random",
        observation=then(observation),
        arrays_sha256=sha256_file(folder / "arrays.npz")[0],
        probe_sha256=sha256_file(folder / "probe.npz")[0],
    )
    write_evidence(folder, saved)
    return saved


def probe(rows: int) -> Probe:
    return Probe.of((np.linspace(0, 1, rows * 4, dtype=np.float32).reshape(rows, 4), np.arange(rows) % 3))


def kept(folder: Path, *arrays: Any) -> tuple[list[Array], list[ArrayReader]]:
    """Arrays written as evidence keeps them, each in a file of its own, and read back."""
    described, readers = [], []
    for number, value in enumerate(arrays):
        writer = ArrayWriter()
        described.append(writer.put("value", value))
        writer.write(folder / f"{number}.npz")
        readers.append(ArrayReader(folder / f"{number}.npz"))
    return described, readers


# Comparisons without evidence, for `judge` and `report`


def difference(max_abs: float, **fields: Any) -> Difference:
    measured = {"mean_abs": max_abs, "max_rel": max_abs, "max_ulp": None, "differing": 1, "estimated": False}
    return Difference(max_abs=max_abs, **(measured | fields))


def row(group: Group, outcome: Outcome = Outcome.SAME, **fields: Any) -> Row:
    """A row of the artifact `model.keras` of the model `digits`; a difference of 0.5 where it differs."""
    usual: dict[str, Any] = {
        "model": "digits",
        "artifact": ARTIFACT.path,
        "subject": f"the {group}",
        "scale": 2.0,
        "dtype": "float32",
    }
    if outcome is Outcome.DIFFERS:
        usual["difference"] = difference(0.5)
    return Row(group=group, outcome=outcome, **(usual | fields))


def comparison(*rows: Row, whole: bool = True, same_environment: bool = True, **fields: Any) -> Comparison:
    """A comparison of one model with these rows; with `whole`, every other group has a row that is the same."""
    present = {one.group for one in rows}
    others = tuple(row(group) for group in Group if group not in present) if whole else ()
    facts = ArtifactFacts(
        artifact=ARTIFACT.path,
        format="keras",
        cannot="",
        capability=Capability.RESUME,
        same_environment=same_environment,
        environment_changes=() if same_environment else ("cpus: 2 → 8",),
        files={ARTIFACT.path: "0" * 64},
        bytes=20,
        reload_seconds=1.5,
        losses={"uninterrupted": (0.9, 0.8), "reloaded": (0.9, None)},
    )
    model: dict[str, Any] = {
        "model": "digits",
        "version": "models/digits/1.0.0",
        "saved_sha256": "1" * 64,
        "artifacts": (facts,),
        "rows": (*rows, *others),
    }
    return Comparison(schema_version=SCHEMA_VERSION, models=(ModelComparison(**(model | fields)),))
