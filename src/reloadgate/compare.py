"""`compare`: read both evidences of every version from disk, and lay them against each other."""

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from reloadgate.arrays import ArrayReader
from reloadgate.behaviour_rows import agreement_rows, determinism_rows, prediction_rows, resume_rows
from reloadgate.comparison import HOLDING, ArtifactFacts, Comparison, ModelComparison, Outcome, Row
from reloadgate.configuration_rows import (
    EXECUTION,
    RETRACED,
    compile_rows,
    computed_otherwise,
    execution_changes,
    note_rows,
    run_otherwise,
    structure_rows,
)
from reloadgate.errors import ReloadgateError, UnreadableRecordError, UsageError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    PREDICT,
    SERVE,
    STEPS,
    TO_RESUME,
    TRAINING,
    Artifact,
    Capability,
    Depth,
    Environment,
    Group,
    Kind,
    Log,
    Observation,
    ReloadedEvidence,
    SavedEvidence,
    Tried,
    Unsealed,
    broken_seals,
    read_sealed,
)
from reloadgate.files import sha256_file
from reloadgate.formats import FORMATS, h5, own, saved_model
from reloadgate.moved import moved_layers, moved_rows, put_back
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.project import Subject, VersionRecord, artifacts_of, folder_of
from reloadgate.rows import OTHER_SETTING, Side, log_values, row_of
from reloadgate.state_rows import stored_rows, variable_rows
from reloadgate.text import error_line
from reloadgate.unheld_rows import unheld_rows

HEALTHY_WARNINGS = (
    "__array__",
    "You are saving your model as an HDF5 file",
    "the compiled metrics have yet to be built",
    "does not have a `build()` method implemented",
    "`input_shape`/`input_dim`",
)
"""Parts of warnings that come with healthy round trips."""

LOSING_WARNINGS = ("Skipping variable loading for optimizer", "could not be loaded", "Skipping nested container")
"""Parts of warnings that say that state was not restored."""

REBUILT = (own.NAME, h5.NAME, *(name for name, form in FORMATS.items() if form.NEEDS_BUILDER))
"""Formats whose architecture the user's own code makes again, or Keras from a configuration in other words."""


def compare(subjects: Sequence[Subject], evidence: Path, records: dict[str, VersionRecord] | None = None) -> Comparison:
    """Compare every subject's saved evidence with what `reload` left in `evidence`.

    Args:
        records: what training recorded of the versions; None where a version is verified by itself.
    """
    models = tuple(_compare_alone(subject, evidence, records) for subject in subjects)
    return Comparison(schema_version=SCHEMA_VERSION, models=models)


def _compare_alone(subject: Subject, evidence: Path, records: dict[str, VersionRecord] | None) -> ModelComparison:
    """A model's comparison; where comparing it breaks, that is its only row, and what is known of the others is kept."""
    try:
        return _compare_model(subject, evidence, records)
    except (OSError, ReloadgateError):  # the disk is not one model's, and what cannot be read is no fault of the comparison
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"comparing this model broke: {error_line(error)} ({Path(where.filename).name}, line {where.lineno})"
        row = replace(row_of(Group.EVIDENCE, "comparison", Outcome.BROKEN, detail=detail), model=subject.name)
        return ModelComparison(model=subject.name, version=subject.path, saved_sha256=None, artifacts=(), rows=(row,))


def _compare_model(subject: Subject, evidence: Path, records: dict[str, VersionRecord] | None) -> ModelComparison:
    version, facts = subject.directory, []
    rows: list[Row] = []
    saved, theirs, seal = None, None, None
    try:
        sealed = read_sealed(SavedEvidence, version / EVIDENCE_DIR)
        theirs = ArrayReader(version / EVIDENCE_DIR / "arrays.npz")
        saved, seal = sealed.record, sealed.sha256
        rows += list(_evidence_rows(subject, sealed, records))
    except UnreadableRecordError as error:
        detail = f"no evidence was saved with this version: {error}"
        rows.append(row_of(Group.EVIDENCE, "saved evidence", Outcome.UNCHECKED, detail=detail))
    rows = [replace(row, model=subject.name) for row in rows]
    first: Side | None = None
    for artifact in _artifacts(version, saved):
        found, fact, side = _compare_artifact(subject, artifact, evidence, saved, theirs, seal)
        if saved is not None and side is not None and first is not None:
            found += list(agreement_rows(first, side, saved.observation))
        first = first or side
        rows += [replace(row, model=subject.name, artifact=artifact.path) for row in found]
        facts.append(fact)
    return ModelComparison(
        model=subject.name,
        version=subject.path,
        saved_sha256=seal,
        artifacts=tuple(facts),
        rows=tuple(rows),
    )


def _artifacts(version: Path, saved: SavedEvidence | None) -> tuple[Artifact, ...]:
    try:
        return artifacts_of(version, saved) if version.exists() else ()
    except UsageError:  # nothing that could be reloaded lies there: the judge finds that nothing was looked at
        return ()


def _evidence_rows(subject: Subject, saved: Unsealed[SavedEvidence], records: dict[str, VersionRecord] | None) -> Iterator[Row]:
    broken = broken_seals(subject.directory / EVIDENCE_DIR, saved)
    for problem in broken:
        detail = "the evidence was altered after it was recorded"
        yield row_of(Group.EVIDENCE, problem.split(":")[0], Outcome.CHANGED, seen=problem, detail=detail)
    if not broken:
        yield row_of(Group.EVIDENCE, "seal", Outcome.SAME)
    if records is None:
        return
    record = records.get(subject.name)
    if record is None or record.path != subject.path:
        detail = f'training left no record of {subject.path}: train it with `records="reports/versions"` in its `save`'
        yield row_of(Group.EVIDENCE, "record", Outcome.UNCHECKED, detail=detail)
    elif record.evidence_sha256 != saved.sha256 or record.files != saved.record.files:
        detail = "this evidence is not the one that training recorded"
        yield row_of(
            Group.EVIDENCE,
            "record",
            Outcome.CHANGED,
            expected=record.evidence_sha256[:16],
            seen=saved.sha256[:16],
            detail=detail,
        )
    else:
        yield row_of(Group.EVIDENCE, "record", Outcome.SAME)


def _compare_artifact(
    subject: Subject,
    artifact: Artifact,
    evidence: Path,
    saved: SavedEvidence | None,
    theirs: ArrayReader | None,
    seal: str | None,
) -> tuple[list[Row], ArtifactFacts, Side | None]:
    """The rows of one artifact, its facts, and what was observed of its behaviour."""
    folder = folder_of(evidence, subject.name, artifact)
    reloaded, ours = None, None
    try:
        reloaded, ours, whole = _read_reloaded(folder)
        if not whole:
            detail = f"{folder} was altered after the reload"
            rows = [row_of(Group.EVIDENCE, "reloaded evidence", Outcome.CHANGED, detail=detail)]
        elif reloaded.saved_sha256 != seal or reloaded.artifact != artifact:
            detail = "the reload looked at other evidence than lies in the version now: reload again"
            rows = [row_of(Group.EVIDENCE, "reloaded evidence", Outcome.UNCHECKED, detail=detail)]
        elif saved is None or theirs is None:
            rows = list(fresh_rows(reloaded))
        else:
            rows = list(compare_evidence(saved, theirs, reloaded, ours))
    except UnreadableRecordError as error:
        rows = [row_of(Group.EVIDENCE, "arrays or reload", Outcome.UNCHECKED, detail=str(error))]
    behaved = reloaded is not None and reloaded.depth is not Depth.STATE
    side = Side(reloaded.observation, ours) if behaved and reloaded and reloaded.observation and ours else None
    return rows, _facts(artifact, saved, reloaded, theirs, ours), side


def _read_reloaded(folder: Path) -> tuple[ReloadedEvidence, ArrayReader, bool]:
    reloaded = read_sealed(ReloadedEvidence, folder)
    arrays = folder / "arrays.npz"
    whole = reloaded.whole and arrays.is_file() and sha256_file(arrays)[0] == reloaded.record.arrays_sha256
    return reloaded.record, ArrayReader(arrays), whole


def _facts(
    artifact: Artifact,
    saved: SavedEvidence | None,
    reloaded: ReloadedEvidence | None,
    theirs: ArrayReader | None,
    ours: ArrayReader | None,
) -> ArtifactFacts:
    changes = _other_bits(saved, reloaded) if saved and reloaded else ("unknown",)
    losses = {}
    with contextlib.suppress(UnreadableRecordError):  # altered arrays have a row of their own
        if saved and theirs:
            losses["uninterrupted"] = log_values(_loss(saved.observation.logs), theirs)
        if reloaded and reloaded.observation and ours:
            losses["reloaded"] = log_values(_loss(reloaded.observation.logs), ours)
    files = reloaded.files if reloaded else ()
    return ArtifactFacts(
        artifact=artifact.path,
        format=artifact.format,
        capability=artifact.capability,
        cannot=FORMATS[artifact.format].CANNOT,
        same_environment=not changes,
        environment_changes=changes,
        files={file.path: file.sha256 for file in files},
        bytes=sum(file.size for file in files if artifact.path in (".", file.path.split("/")[0])),
        reload_seconds=reloaded.seconds if reloaded else 0.0,
        losses=losses,
    )


def _loss(logs: tuple[Log, ...]) -> Log | None:
    return next((log for log in logs if log.name == "loss"), None)


# Rows of one artifact


def compare_evidence(
    saved: SavedEvidence, theirs: ArrayReader, reloaded: ReloadedEvidence, ours: ArrayReader | None
) -> Iterator[Row]:
    """Rows for everything that can be compared of one artifact, in the order of the groups."""
    yield from _files(saved, reloaded)
    rows = list(_observed(saved, theirs, reloaded, ours))
    state = [row for row in rows if row.group in OF_STATE]
    yield from fresh_rows(reloaded, restored=bool(state) and all(row.outcome in HOLDING for row in state))
    yield from rows


def _observed(saved: SavedEvidence, theirs: ArrayReader, reloaded: ReloadedEvidence, ours: ArrayReader | None) -> Iterator[Row]:
    """Rows of what was observed on both sides: none where nothing loaded."""
    if reloaded.observation is None or ours is None:
        return
    infers = reloaded.artifact.capability is Capability.INFER
    then = _inferring(saved.observation, reloaded.artifact.format) if infers else saved.observation
    now = _inferring(reloaded.observation) if infers else reloaded.observation
    rebuilt, settings = reloaded.artifact.format in REBUILT, list[Row]()
    if rebuilt and (places := moved_layers(then, now)):
        yield from moved_rows(places)
        now = put_back(places, then, now)
    expected, seen = Side(then, theirs), Side(now, ours)
    yield from stored_rows(then, reloaded)
    if reloaded.artifact.format == saved_model.NAME:
        yield row_of(Group.STRUCTURE, "configuration", Outcome.SKIPPED, detail=saved_model.CANNOT)
        yield from note_rows(expected.observation, seen.observation, rebuilt)
    else:
        settings += structure_rows(expected.observation, seen.observation, rebuilt)
        yield from settings
    held = list(variable_rows(expected, seen, rebuilt))
    settings += held
    yield from held
    behaved, behaviour = reloaded.depth is not Depth.STATE, list[Row]()
    same_graphs = _same_graphs(saved, reloaded)
    if behaved:
        behaviour += [*prediction_rows(expected, seen), *determinism_rows(expected.observation, seen.observation)]
    if infers:
        for group in TO_RESUME:
            yield row_of(group, "", Outcome.SKIPPED, detail=FORMATS[reloaded.artifact.format].CANNOT)
    else:
        compiled = list(compile_rows(expected, seen, rebuilt))
        settings += compiled
        yield from compiled
        behaviour += resume_rows(expected, seen, same_graphs) if behaved else ()
    if behaved and reloaded.artifact.format != saved_model.NAME:
        otherwise = any(row.outcome not in HOLDING for row in behaviour)
        others = [row for row in settings if row.detail == OTHER_SETTING and row.outcome is Outcome.NOTED]
        yield from unheld_rows(expected, seen, otherwise, same_graphs, others)
    yield from behaviour


OF_TRAINING = ("loss/", "metrics/", "weighted_metrics/", "compile_")
"""What the places of objects begin with that only training and testing use."""

OF_STEPS = tuple(f"untracked/{step}/" for step in STEPS)
"""So do keys of variables that only they use."""

OF_STATE = (Group.STRUCTURE, Group.WEIGHTS, Group.ASSETS, Group.OPTIMIZER)
"""Groups of what loading gives back."""


def _inferring(observation: Observation, form: str = "") -> Observation:
    """What of an observation an artifact answers for that can only infer."""
    served = form == saved_model.NAME
    kinds = (Kind.WEIGHT,) if served else (Kind.WEIGHT, Kind.RECURRENT_STATE, Kind.UNTRACKED)
    slots = tuple(f"{optimizer.key}/" for optimizer in observation.optimizers)  # of an optimizer within another
    training = (*slots, *(f"{optimizer.key}." for optimizer in observation.optimizers), *OF_TRAINING)
    return replace(
        observation,
        compile_config=None,
        variables=tuple(
            replace(v, treatment=None) for v in observation.variables if v.kind in kinds and not v.key.startswith(OF_STEPS)
        ),
        assets=() if served else tuple(a for a in observation.assets if not a.key.startswith(slots)),
        optimizers=(),
        outputs=tuple(o for o in observation.outputs if (o.mode == SERVE if served else o.mode != TRAINING)),
        logs=(),
        graphs=() if served else tuple(graph for graph in observation.graphs if graph.mode == PREDICT),
        generators=(),
        attributes=tuple(
            replace(a, method="")
            for a in observation.attributes
            if not a.key.startswith(training) and not a.key.endswith(("_regularizer", "_constraint"))
        ),
        notes=tuple(note for note in observation.notes if note.group not in (*TO_RESUME, Group.STRUCTURE)),
    )


def fresh_rows(reloaded: ReloadedEvidence, restored: bool = False) -> Iterator[Row]:
    """Rows of what the fresh process found without looking at saved evidence.

    Args:
        restored: all state came back, whatever Keras warned of on the way: a loader may give by other means what Keras could
            not, and a model within the model may have an optimizer of its own.
    """
    yield from _tried(reloaded)
    yield from _load(reloaded, restored)


def _other_bits(saved: SavedEvidence, reloaded: ReloadedEvidence) -> tuple[str, ...]:
    """Why what is computed may be other bits: the environment, and where the user's code made the model again how it is run."""
    changes = environment_changes(saved.environment, reloaded.environment)
    run = run_otherwise(saved.observation, reloaded.observation) if reloaded.observation else ()
    return (*changes, *run, *_computed_otherwise(saved, reloaded, EXECUTION))


TRACING = ("python", "platform", "machine", "processor", "numpy", "tensorflow", "keras")
"""What of an environment may have other graphs traced, or other constants computed for them: threads, options, determinism and
variables of the process only move the bits of what runs then."""


def _same_graphs(saved: SavedEvidence, reloaded: ReloadedEvidence) -> bool:
    """Whether a model that is the same has the same graphs."""
    then, now = saved.environment, reloaded.environment
    if now is None or any(getattr(then, name) != getattr(now, name) for name in TRACING):
        return False
    kinds, others = ({name.rpartition(":")[0] for name in side.devices} for side in (then, now))
    return kinds == others and not _computed_otherwise(saved, reloaded, RETRACED)


def _computed_otherwise(saved: SavedEvidence, reloaded: ReloadedEvidence, names: tuple[str, ...]) -> tuple[str, ...]:
    """What of the two models has what is computed come out in other last bits; of how they are run, by the settings `names`."""
    if reloaded.observation is None:
        return ()
    changes = computed_otherwise(saved.observation, reloaded.observation)
    if reloaded.artifact.format in REBUILT:
        changes += execution_changes(saved.observation, reloaded.observation, names)
    return changes


def environment_changes(saved: Environment, reloaded: Environment | None) -> tuple[str, ...]:
    """What of the environment is another, as `name: then → now`; the environments are the same where this is empty."""
    if reloaded is None:
        return ("unknown",)
    names = Environment.__dataclass_fields__
    pairs = ((name, getattr(saved, name), getattr(reloaded, name)) for name in names)
    return tuple(f"{name}: {then} → {now}" for name, then, now in pairs if then != now)


def _files(saved: SavedEvidence, reloaded: ReloadedEvidence) -> Iterator[Row]:
    if any(check.group is Group.INTEGRITY and not check.subject for check in reloaded.checks):
        return  # it broke before it could tell which files there are
    recorded = {file.path: file for file in saved.files}
    seen = {file.path: file for file in reloaded.files}
    for path in sorted({*recorded, *seen}):
        then, now = recorded.get(path), seen.get(path)
        if then is None or now is None:
            outcome = Outcome.MISSING if now is None else Outcome.EXTRA
            yield row_of(Group.INTEGRITY, path, outcome, detail=f"the file is {outcome} against the manifest")
        else:
            same = (then.sha256, then.size) == (now.sha256, now.size)
            yield row_of(
                Group.INTEGRITY, path, Outcome.SAME if same else Outcome.CHANGED,
                expected=f"SHA-256 {then.sha256[:16]}…, {then.size} bytes", seen=f"SHA-256 {now.sha256[:16]}…, {now.size} bytes",
                detail="" if same else "these are not the bytes that were saved",
            )  # fmt: skip


def _load(reloaded: ReloadedEvidence, restored: bool) -> Iterator[Row]:
    refused = any(check.group is Group.INSPECT and check.tried is Tried.BROKEN for check in reloaded.checks)
    if refused and not reloaded.loaded:
        yield row_of(Group.LOAD, "", Outcome.UNCHECKED, detail=reloaded.error)
    elif reloaded.error:
        yield row_of(Group.LOAD, "model", Outcome.BROKEN, seen=reloaded.error, detail="it does not load in a fresh process")
    elif reloaded.observation is not None:
        yield row_of(Group.LOAD, "model", Outcome.SAME, seen=f"loads in {reloaded.seconds:.1f} s")
    for warned in reloaded.warnings:
        text = f"{warned.category}: {warned.message}"
        if any(part in warned.message for part in HEALTHY_WARNINGS):
            continue
        outcome, detail = Outcome.NOTED, ""
        if any(part in warned.message for part in LOSING_WARNINGS):
            outcome, detail = Outcome.BROKEN, "Keras says that it did not restore all"
            if restored:
                outcome, detail = Outcome.NOTED, f"{detail}; all state came back nevertheless"
        yield row_of(Group.LOAD, "warning", outcome, seen=text, detail=detail)


def _tried(reloaded: ReloadedEvidence) -> Iterator[Row]:
    outcomes = {
        Tried.HOLDS: Outcome.SAME,
        Tried.BROKEN: Outcome.BROKEN,
        Tried.UNCHECKED: Outcome.UNCHECKED,
        Tried.SKIPPED: Outcome.SKIPPED,
    }
    for check in reloaded.checks:
        said = {"seen" if check.tried is Tried.HOLDS else "detail": check.message}
        yield row_of(check.group, check.subject, outcomes[check.tried], **said)
