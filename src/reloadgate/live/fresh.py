"""What happens in the fresh process: read and hash the bytes, load them, observe the model, write the evidence."""

import contextlib
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reloadgate.arrays import ArrayReader, ArrayWriter
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    OF_A_TEST,
    SERVE,
    TRAINING,
    Artifact,
    Capability,
    Check,
    Depth,
    Environment,
    Group,
    Kind,
    Observation,
    Recipe,
    ReloadedEvidence,
    SavedEvidence,
    Tried,
    Warned,
    read_sealed,
    write_evidence,
)
from reloadgate.files import project_root, sha256_file
from reloadgate.formats import format_named, own
from reloadgate.inspection import HARMLESS, Finding, Limits, refusals, said
from reloadgate.live.again import Again
from reloadgate.live.catalog import quick_walks
from reloadgate.live.declared import declared
from reloadgate.live.environment import compute_as, environment
from reloadgate.live.hold import names_given
from reloadgate.live.look import as_inputs
from reloadgate.live.observe import observe
from reloadgate.live.outside import of_version, outside, strayed, tell_of_opens
from reloadgate.live.served import observe_served
from reloadgate.live.variables import give_back
from reloadgate.live.version_files import age_otherwise, copy_and_hash, irregular, stamps, unchanged
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.places import look_at
from reloadgate.probe import Probe
from reloadgate.text import error_line, one_line

CONTAINED = "no network and no other process could be reached; environment, home and working directory were empty of the user's"
PACKAGE = Path(__file__).parents[1]
NO_RECIPE = Recipe(loader=None, builder=None, imports=(), code_path=())
IGNORED_LOGGERS = {"h5py"}


class Loaded:
    """What a reload has come to so far: filled step by step, so that an error leaves what was seen before it.

    Args:
        version: absolute path of the model version.
        folder: a folder of this process' own.
        depth: how far to look.
        opened: the files that this process opened since it was last asked.
    """

    def __init__(self, version: Path, artifact: Artifact, folder: Path, depth: Depth, opened: Callable[[], set[str]]) -> None:
        self.version, self.artifact, self.folder, self.depth, self.opened = version, artifact, folder, depth, opened
        self.form, self.own = format_named(artifact.format), artifact.format == own.NAME
        self.private = folder / "copy"
        self.private.mkdir()
        self.saved, self.theirs, self.seal = _saved(version)
        self.recipe = self.saved.recipe if self.saved else NO_RECIPE
        self.arrays = ArrayWriter()
        self.error = ""
        self.environment: Environment | None = None
        self.stored_config: dict[str, Any] | None = None
        self.stored_variables: dict[str, str] | None = None
        self.model: Any = None
        self.observation: Observation | None = None
        self.checks: list[Check] = []
        self.warnings: list[Warned] = []

    def load(self, limits: Limits, strict: bool) -> None:
        """Inspect the artifact and load it, where nothing speaks against that."""
        if self.saved:
            compute_as(self.saved.environment)  # before the user's modules, which may compute while they are imported
        with _catching_warnings(self.warnings):
            names = declared(self.recipe, self.version)
        found = refusals(self.private / self.artifact.path, names, limits, meanwhile=lambda: _begin(self.artifact))
        refused = [one for one in found if one.code != "nonfinite" or not _infinite(self.saved)]
        self.checks.extend(_inspected(self.artifact, refused))
        trusted = self.own and not strict
        if not trusted and not HARMLESS.issuperset(finding.code for finding in refused):
            self.error = "it was not loaded, because inspection refused it"
            return
        self.stored_config = self.form.stored_config(self.private / self.artifact.path)
        self.stored_variables = self.form.stored_variables(self.private / self.artifact.path)
        # The private copy holds the very bytes that were hashed, and nothing else is ever loaded. The user's own loader is given
        # the directory that it knows, whose files must stay as they are meanwhile.
        self.path = self.version if self.own else self.private / self.artifact.path
        self.probe = _probe(self.version, self.saved)
        inputs = as_inputs(self.probe.x) if self.probe.rows else None
        self.opened()
        self.names = names_given()
        with _catching_warnings(self.warnings):
            try:
                self.model = self.form.load(self.path, self.recipe, inputs)
            finally:
                # Not before: reading it initialises the devices, which a loader may want to configure.
                self.environment = environment()

    def observe(self) -> None:
        """Observe the model that was loaded, and once more what gives it."""
        model, self.model = self.model, None  # one at a time is in memory
        expected = self.saved.observation if self.saved else None
        random_state = _random_state(self.saved, self.theirs) if self.saved and self.theirs else {}
        behaves = self.depth is not Depth.STATE
        if isinstance(model, keras.Model):
            modes = {output.mode for output in expected.outputs} if expected else set[str]()
            self.observation = observe(
                model,
                self.probe,
                self.arrays,
                steps=expected.steps if expected and self.artifact.capability is Capability.RESUME else 0,
                train=TRAINING in modes,
                serve=SERVE in modes,
                tests=any(log.name.startswith(OF_A_TEST) for log in expected.logs) if expected else False,
                behaves=behaves,
                keep=not self.recipe.only_defines,  # the user's own code may give the same model again
                random_state=random_state,
            )
        else:
            self.observation = observe_served(model, self.path, self.probe if behaves else Probe(), self.arrays, expected)
        code = [project_root(self.version) or self.version] if self.form.NEEDS_BUILDER else []  # the builder's own settings
        read = self.opened()
        self.checks.extend(outside(read, self.stored_config, self.version, self.folder, *code))
        if not self.probe.rows or self.depth is not Depth.AGAIN:
            return
        del model
        give_back()
        once_more = Again(
            self.form, self.artifact, self.recipe, self.probe, self.observation, expected, self.folder, random_state, self.names
        )
        if not self.own:  # at another path the artifact is when it has another name
            moved = self.private.rename(self.folder / "moved")
            self.checks.extend(once_more.checks(moved / self.artifact.path))
            return
        age_otherwise(self.version, self.private)
        self.checks.extend(once_more.checks(self.private))
        self.checks.extend(strayed(self.opened(), self.version))
        if not of_version(read, self.version):  # or what it read could not be heard
            empty = self.folder / "empty"
            empty.mkdir()
            self.checks.append(once_more.from_nothing(empty))


def reload_artifact(
    version: Path,
    artifact: Artifact,
    out: Path,
    folder: Path,
    *,
    uncontained: str,
    limits: Limits,
    strict: bool,
    depth: Depth,
    opened: Callable[[], set[str]],
) -> None:
    """Reload one artifact and write `evidence.json` and `arrays.npz` into `out`.

    Args:
        version: absolute path of the model version.
        folder: a folder of this process' own.
        uncontained: why this process can still reach the network; "" where it cannot.
        limits: what the artifact may be.
        strict: keep what inspection refuses from the user's own loader too.
        depth: how far to look.
        opened: the files that this process opened since it was last asked.
    """
    started = time.monotonic()
    loaded = Loaded(version, artifact, folder, depth, opened)
    tell_of_opens()
    before = stamps(version) if loaded.own else {}
    files = copy_and_hash(version, artifact, loaded.private, bare=loaded.saved is None)
    _make_importable(loaded.recipe, version)
    loaded.checks.extend(irregular(version) if loaded.saved else ())
    loaded.checks.extend(_location(version))
    loaded.checks.append(_contained(uncontained))
    with quick_walks():
        try:
            loaded.load(limits, strict)
        except ModuleNotFoundError as error:
            folders = ", ".join(loaded.recipe.code_path) or "no folder"
            loaded.error = f"{error_line(error)}: looked for in {folders} (`code_path`) and among what is installed"
        except Exception as error:
            loaded.error = error_line(error) + _where(error, loaded.recipe, version)
        except BaseException as error:  # an interrupt of the caller's never reaches this process
            loaded.error = f"it ended the process: {error_line(error)}{_where(error, loaded.recipe, version)}"
        else:
            if loaded.model is not None:
                loaded.checks.extend(_looking(loaded.observe))
    if loaded.own and not loaded.error:
        loaded.checks.append(unchanged(version, before))
    loaded.arrays.write(out / "arrays.npz")
    write_evidence(
        out,
        ReloadedEvidence(
            schema_version=SCHEMA_VERSION,
            artifact=artifact,
            saved_sha256=loaded.seal,
            files=files,
            loaded=loaded.observation is not None,
            error=loaded.error,
            warnings=tuple(loaded.warnings),
            checks=tuple(loaded.checks),
            environment=loaded.environment,
            hash_seed=os.environ.get("PYTHONHASHSEED", ""),
            stored_config=loaded.stored_config,
            stored_variables=loaded.stored_variables,
            observation=loaded.observation,
            seconds=round(time.monotonic() - started, 3),
            arrays_sha256=sha256_file(out / "arrays.npz")[0],
            depth=depth,
        ),
    )


def _looking(look: Callable[[], None]) -> Iterator[Check]:
    """What breaks in looking at a model that did load is no fault of the model, and no pass."""
    try:
        look()
    except BaseException as error:  # the model's own code may end the process
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = f"it loads, and looking at it broke: {error_line(error)} ({Path(where.filename).name}, line {where.lineno})"
        yield Check(group=Group.LOAD, subject="observation", tried=Tried.UNCHECKED, message=message)


def _where(error: BaseException, recipe: Recipe, version: Path) -> str:
    """The last place in the user's code where loading was when it broke; "" where it was in none."""
    root = project_root(version) or version
    folders = [(root / folder).resolve() for folder in recipe.code_path]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        for folder in folders:
            if folder in path.parents and PACKAGE not in path.parents and "site-packages" not in path.parts:
                return f" ({path.relative_to(folder)}, line {frame.lineno})"
    return ""


def _begin(artifact: Artifact) -> None:
    """Start TensorFlow, whose first operation takes as long as inspection; an own loader may still want to configure it."""
    if artifact.format != own.NAME:
        _ = tf.constant(0.0) + 1.0


def _location(version: Path) -> Iterator[Check]:
    place = look_at(version)
    for message in place.problems:
        yield Check(group=Group.LOCATION, subject="version", tried=Tried.BROKEN, message=message)
    for message in place.notices:
        yield Check(group=Group.LOCATION, subject="version", tried=Tried.SKIPPED, message=message)
    if not place.problems:
        yield Check(group=Group.LOCATION, subject="version", tried=Tried.HOLDS, message="")


def _contained(uncontained: str) -> Check:
    if uncontained:
        return Check(group=Group.CONTAINMENT, subject="process", tried=Tried.BROKEN, message=f"no containment: {uncontained}")
    return Check(group=Group.CONTAINMENT, subject="process", tried=Tried.HOLDS, message=CONTAINED)


def _inspected(artifact: Artifact, refused: list[Finding]) -> Iterator[Check]:
    """What inspection says of the bytes before anything loads them; of what the user's own loader reads, it is told only."""
    tried = Tried.SKIPPED if artifact.format == own.NAME else Tried.BROKEN
    for finding in refused:
        yield Check(group=Group.INSPECT, subject=finding.place, tried=tried, message=said(finding))
    if not refused or tried is Tried.SKIPPED:
        yield Check(group=Group.INSPECT, subject="artifact", tried=Tried.HOLDS, message="")


def _infinite(saved: SavedEvidence | None) -> bool:
    """Whether the live model's variables held infinities, and no NaN, as a mask does: the artifact's are held against them."""
    values = [variable.value for variable in saved.observation.variables] if saved else []
    return any(value.infinities for value in values) and not any(value.nans for value in values)


def _saved(version: Path) -> tuple[SavedEvidence | None, ArrayReader | None, str | None]:
    """The version's evidence; all None where it has none that can be read (the comparison says which)."""
    try:
        saved = read_sealed(SavedEvidence, version / EVIDENCE_DIR)
        return saved.record, ArrayReader(version / EVIDENCE_DIR / "arrays.npz"), saved.sha256
    except UnreadableRecordError:
        return None, None, None


def _probe(version: Path, saved: SavedEvidence | None) -> Probe:
    if saved is None or saved.probe_sha256 is None:
        return Probe()
    return Probe.read(version / EVIDENCE_DIR / "probe.npz")


def _random_state(saved: SavedEvidence, theirs: ArrayReader) -> dict[str, np.ndarray[Any, Any]]:
    return {v.key: theirs.get(v.value) for v in saved.observation.variables if v.kind is Kind.RANDOM_STATE}


def _make_importable(recipe: Recipe, version: Path) -> None:
    """The declared folders and nothing else of the user's."""
    root = project_root(version) or version
    for folder in reversed(recipe.code_path):
        sys.path.insert(0, str(root / folder))


@contextlib.contextmanager
def _catching_warnings(found: list[Warned]) -> Iterator[None]:
    """Collect Python warnings and log records of level WARNING and above."""

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name not in IGNORED_LOGGERS:
                add(f"log {record.name}", record.getMessage())

    def add(category: str, message: str) -> None:
        warned = Warned(category=category, message=one_line(message, 500))
        if warned not in found:
            found.append(warned)

    handler = Collecting(logging.WARNING)
    loggers = [logging.getLogger(name) for name in ("", "tensorflow", "absl")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            try:
                yield
            finally:
                for one in raised:
                    add(one.category.__name__, str(one.message))
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
