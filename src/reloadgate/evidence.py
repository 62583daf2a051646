"""Evidence: what was observed of a model. Saved (in the training process) and reloaded (in a fresh one), by one observer."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, TypeVar

from reloadgate.arrays import Array, ArrayReader
from reloadgate.files import sha256_file
from reloadgate.nouns import digest, from_dict, noun, read_json, readable, to_dict, write_json

EVIDENCE_DIR = "evidence"
"""The folder inside a model version that holds its evidence: `evidence.json`, `arrays.npz` and the probe."""


class Group(StrEnum):
    """What is verified, in the order in which it is."""

    EVIDENCE = "evidence"
    INSPECT = "inspect"
    INTEGRITY = "integrity"
    LOCATION = "location"
    CONTAINMENT = "containment"
    LOAD = "load"
    STRUCTURE = "structure"
    WEIGHTS = "weights"
    ASSETS = "assets"
    COMPILE = "compile"
    OPTIMIZER = "optimizer"
    RANDOM_STATE = "random state"
    PREDICTIONS = "predictions"
    DETERMINISM = "determinism"
    RELOCATION = "relocation"
    AGREEMENT = "agreement"
    ROUND_TRIP = "round trip"
    RESUME = "resume"
    EXPECTATIONS = "expectations"
    """Of suites of the user's own."""


TO_RESUME = (Group.COMPILE, Group.OPTIMIZER, Group.RESUME)
"""Groups of what only training needs."""


class Kind(StrEnum):
    """What a variable is for."""

    WEIGHT = "weight"
    SLOT = "slot"
    RANDOM_STATE = "random state"
    RECURRENT_STATE = "recurrent state"
    REPLICA = "replica"
    UNTRACKED = "untracked"
    ASSET = "asset"
    METRIC = "metric"


class Depth(StrEnum):
    """How far a reload looks; every depth looks at what is before it too. Of groups that are beyond it nothing is said."""

    STATE = "state"
    """What loads, and what it holds."""
    BEHAVIOUR = "behaviour"
    """What it predicts, and how it trains."""
    AGAIN = "again"
    """What it is from another path, and saved and loaded once more."""


class Capability(StrEnum):
    """What an artifact can do once it is loaded."""

    INFER = "infer"
    RESUME = "resume"


def _demand_inside(path: str) -> None:
    """A path that leads out of the version would be read, and written, wherever who forged it likes."""
    if not path or path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ValueError(f"{path!r} is no path inside of a model version")


@noun
class File:
    """A file of the model version: path relative to it, SHA-256, size in bytes."""

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        _demand_inside(self.path)


@noun
class Variable:
    """One variable, before the resumed steps and after the last."""

    key: str
    """Keras' own storage path: attribute, class and position. The identity."""
    path: str
    """Keras' `Variable.path`, for people: it changes on every reload."""
    name: str
    """What is left of the path when every name that Keras made is taken away; "" when nothing is."""
    kind: Kind
    trainable: bool
    value: Array
    final: Array | None
    noise: float
    """Largest difference of `final` between two runs of the same steps on the saved side."""
    also: tuple[str, ...] = ()
    """Other storage paths of the same variable: Keras stores it once for every layer that holds it."""
    treatment: str | None = None
    """A weight's regularizer, its constraint and whether weight decay leaves it out, as JSON, "" where there is none of it; None
    of other variables, and in older evidence."""


@noun
class Output:
    """One output of one way to call the model on the probe."""

    mode: str
    """One of `MODES`."""
    name: str
    value: Array
    noise: float
    """Largest difference between two calls in the same process."""
    constant: bool
    """Whether every row of the probe gave the same: then the output is not exercised."""


CALL, PREDICT, SERVE, TRAINING = "call", "predict", "serve", "training"
MODES = (CALL, PREDICT, SERVE, TRAINING)
"""`model(x, training=False)`; `model.predict(x)`; the same as a graph without XLA, as a SavedModel serves it;
`model(x, training=True)` as a graph, with the recorded random state."""

TRAIN_STEP, TEST_STEP = "train step", "test step"
STEPS = (TRAIN_STEP, TEST_STEP)
"""In keys of variables that only a step uses, and of graphs, where others name a layer: no storage path has a space."""


GRAPH_SCHEME = 2
"""How digests of graphs are made. Another number with every change that gives one and the same model other digests: evidence of
another scheme is not held against the model."""


@noun
class Graph:
    """What one layer, or the train step, does in a graph that was traced: it shows what the probe's rows do not reach."""

    layer: str
    """The layer's storage path; "" for what the model does itself; one of `STEPS` for all that a step does: of testing, where
    code of the model's own decides."""
    operations: str
    """Digest of the types of its operations."""
    constants: str
    """Digest of its constants, and of the values among the attributes of its operations."""
    random_operations: tuple[str, ...]
    """Operations that draw from TensorFlow's global generator, whose state no artifact holds."""
    mode: str = TRAINING
    """`TRAINING` or `PREDICT`; older evidence has none of `PREDICT`."""
    wiring: str = ""
    """Digest of its operations with what each is given: constants, what other operations give, and variables by their keys."""
    unseen_operations: tuple[str, ...] = ()
    """Operations that compute with what is in no graph: Python (`tf.numpy_function`), files."""


@noun
class Attribute:
    """A number, text or container of such that an object of the user's own class keeps, or a method of the user's."""

    key: str
    """`layers/capped.limit`: the object's place and the attribute."""
    value: str
    """As JSON, or its SHA-256 where that is long."""
    argument: bool
    """Whether the constructor takes an argument of this name, which `get_config` has to give back."""
    read: bool = True
    """Whether the user's code reads it once the object is made, and not to count it up alone."""
    method: str = ""
    """What reads it of the methods that the user's class has in the place of Keras', and that no check calls, as `fit`; of a
    method its own name."""
    made: bool = False
    """Whether code of the user's sets it where it is used first, and so need not find it."""


@noun
class Optimizer:
    key: str
    class_name: str
    config: dict[str, Any]
    learning_rate: Array | None
    """float32, of the next step; of a schedule also those of later ones."""
    slots: int
    was_built: bool
    """Whether it had its slots before the observer built it."""


OF_A_TEST = "val_"
"""What the names of logs of a test step begin with."""


@noun
class Log:
    """One value that the model logs (loss, a metric) at every resumed step: float64, shape (steps,)."""

    name: str
    values: Array
    noise: float


UNSEEDED = "Random ops require a seed"
"""Part of the note of a random operation without a seed, which TensorFlow 2.21 refuses under op determinism."""


@noun
class Note:
    """Something that could not be observed, or that the observer wants known, and of which group."""

    group: Group
    subject: str
    message: str


@noun
class Silent:
    """Units of a layer that the probe never activates: they are exactly zero on all its rows."""

    layer: str
    """Its storage path."""
    units: int
    of: int


@noun
class Observation:
    """Everything that one look at a live model gives."""

    class_name: str
    config: dict[str, Any] | None
    compile_config: dict[str, Any] | None
    compiled: bool
    variables: tuple[Variable, ...]
    assets: tuple[Variable, ...]
    optimizers: tuple[Optimizer, ...]
    outputs: tuple[Output, ...]
    steps: int
    logs: tuple[Log, ...]
    moved_attributes: tuple[str, ...]
    graphs: tuple[Graph, ...]
    notes: tuple[Note, ...]
    metrics: tuple[Variable, ...] = ()
    """What the metrics have summed up since they were last reset; older evidence has none."""
    silent: tuple[Silent, ...] = ()
    """Seen on the saved side, of layers that rectify; older evidence has none."""
    generators: tuple[str, ...] = ()
    """What training draws from and no artifact holds: `random`, `numpy.random`, where it runs eagerly `tf.random`, and attributes
    as `model.rng`; older evidence has none."""
    attributes: tuple[Attribute, ...] = ()
    """Before the model does anything; older evidence has none."""
    graph_scheme: int = 0
    """The `GRAPH_SCHEME` of the observer; older evidence has none."""
    replicas: int = 1
    """Of the model's distribution strategy; older evidence has none."""
    execution: dict[str, bool] = field(default_factory=dict)
    """Of a compiled model `jit_compile` and `run_eagerly` as they are, which an attribute may be given after `compile`; older
    evidence has none."""


@noun
class Environment:
    """What moves the bits: another value of any of these is another environment."""

    python: str
    platform: str
    machine: str
    processor: str
    cpus: int
    intra_op_threads: int
    inter_op_threads: int
    numpy: str
    tensorflow: str
    keras: str
    devices: tuple[str, ...]
    deterministic: bool = False
    """Whether TensorFlow's op determinism was on, with which Keras compiles no model for XLA."""
    settings: dict[str, str]
    """Environment variables that libraries read and that move the bits (`TF_ENABLE_ONEDNN_OPTS`, `XLA_FLAGS`, …)."""
    options: dict[str, bool | int] = field(default_factory=dict)
    """What `tf.config` was told of how graphs are optimized and computed, where it is not as it is by itself."""


@noun
class Recipe:
    """How a fresh process gets the model: what the user declared, and nothing else of the user's is importable."""

    loader: str | None
    builder: str | None
    """"module:function" that returns a fresh compiled model, for the formats that hold no architecture."""
    imports: tuple[str, ...]
    code_path: tuple[str, ...]
    """Folders, relative to the project's root where they lie inside it."""

    @property
    def only_defines(self) -> bool:
        """Whether the user's code gives nothing but class definitions: no function of theirs makes or loads the model."""
        return not (self.loader or self.builder)


class FormatName(StrEnum):
    KERAS = "keras"
    KERAS_DIRECTORY = "keras_directory"
    WEIGHTS = "weights"
    CHECKPOINT = "checkpoint"
    SAVED_MODEL = "saved_model"
    H5 = "h5"
    OWN = "own"


@noun
class Artifact:
    """One saved form of the model in a version."""

    format: FormatName
    path: str
    """Relative to the version's directory; "." for the user's own loader, which is given the directory."""
    capability: Capability
    """The most that its format can do with the installed Keras."""

    def __post_init__(self) -> None:
        _demand_inside(self.path)


@noun
class Progress:
    """How far training had come: epochs that were complete, batches of the next one, and steps of the optimizer in all."""

    epoch: int
    batch: int
    step: int


@noun
class SavedEvidence:
    schema_version: str
    progress: Progress
    artifacts: tuple[Artifact, ...]
    files: tuple[File, ...]
    recipe: Recipe
    environment: Environment
    hash_seed: str
    observation: Observation
    arrays_sha256: str
    probe_sha256: str | None


class Tried(StrEnum):
    HOLDS = "holds"
    BROKEN = "broken"
    UNCHECKED = "unchecked"
    SKIPPED = "skipped"


@noun
class Check:
    """The outcome of something that only the reloading process can try; `message` says what was seen, or why not."""

    group: Group
    subject: str
    tried: Tried
    message: str


@noun
class Warned:
    """A warning or log line of level WARNING and above raised while loading."""

    category: str
    message: str


@noun
class ReloadedEvidence:
    schema_version: str
    artifact: Artifact
    saved_sha256: str | None
    """Digest of the saved evidence that this reload was given; None when the version had none."""
    files: tuple[File, ...]
    """Every file of the version as the verifying process read it."""
    loaded: bool
    error: str
    warnings: tuple[Warned, ...]
    checks: tuple[Check, ...]
    environment: Environment | None
    hash_seed: str
    stored_config: dict[str, Any] | None
    """The configuration that the artifact holds, before anything is made of it; None where its format holds none."""
    stored_variables: dict[str, str] | None
    """Digests of the variables that the artifact holds, by storage path, "" of what the file keeps in a dtype of its own; None
    where its format has no such paths."""
    observation: Observation | None
    seconds: float
    arrays_sha256: str | None
    depth: Depth = Depth.AGAIN


@noun
class Sealed:
    """How evidence lies on disk: the record and the SHA-256 of its canonical JSON."""

    schema_version: str
    sha256: str
    record: dict[str, Any]


def write_evidence(directory: Path, record: SavedEvidence | ReloadedEvidence) -> str:
    """Write `evidence.json` with its seal into a directory; return the seal, the SHA-256 of the canonical record."""
    data = to_dict(record)
    seal = digest(data)
    write_json(
        directory / "evidence.json",
        {"schema_version": record.schema_version, "sha256": seal, "record": data},
    )
    return seal


E = TypeVar("E", bound="SavedEvidence | ReloadedEvidence")


@dataclass(frozen=True, slots=True)
class Unsealed(Generic[E]):
    """Evidence as it was read."""

    record: E
    sha256: str
    """The seal: the SHA-256 that the record had when it was written."""
    whole: bool
    """Whether it still has it."""


def read_sealed(kind: type[E], directory: Path) -> Unsealed[E]:
    """The evidence in a directory, of the kind that lies there.

    Raises:
        UnreadableRecordError: missing, or not such evidence. A broken seal does not raise: it is a row of the comparison.
    """
    path = directory / "evidence.json"
    data = read_json(path)
    inner = data.get("record") if isinstance(data, dict) else None
    # The record is most of the file: it is made canonical and read once, and not a second time as a part of what seals it.
    sealed = from_dict(Sealed, {**data, "record": {}} if isinstance(inner, dict) else data, str(path))
    raw = readable(inner, str(path))
    record = from_dict(kind, inner, str(directory), raw)
    return Unsealed(record, sealed.sha256, hashlib.sha256(raw).hexdigest() == sealed.sha256)


def read_saved(directory: Path) -> tuple[SavedEvidence, ArrayReader]:
    """The saved evidence in a folder and its arrays; raises as `read_sealed` does."""
    return read_sealed(SavedEvidence, directory).record, ArrayReader(directory / "arrays.npz")


def broken_seals(directory: Path, saved: Unsealed[SavedEvidence]) -> list[str]:
    """The files of a version's evidence that are not what was recorded, each with the reason."""
    broken = []
    if not saved.whole:
        broken.append(f"evidence.json: its record is not the one that was sealed ({saved.sha256[:12]}…)")
    for name, recorded in (("arrays.npz", saved.record.arrays_sha256), ("probe.npz", saved.record.probe_sha256)):
        path = directory / name
        if recorded is None:
            continue
        if not path.is_file():
            broken.append(f"{name}: missing")
        elif (seen := sha256_file(path)[0]) != recorded:
            broken.append(f"{name}: SHA-256 {seen[:12]}…, recorded {recorded[:12]}…")
    return broken
