"""`save` and `record`: evidence taken in the training process, where the live model is.

`save` writes artifacts and evidence as one model version, whole or not at all. `record` takes evidence for artifacts that
other code has written.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reloadgate.arrays import ArrayWriter
from reloadgate.errors import RefusedError
from reloadgate.evidence import EVIDENCE_DIR, Artifact, File, Observation, Progress, Recipe, SavedEvidence, write_evidence
from reloadgate.files import STAGING, project_root, regular_files, remove_abandoned, sha256_file, staged_directory, sync_file
from reloadgate.formats import artifacts_in, demand_builder, formats_named, saved_model
from reloadgate.nouns import SCHEMA_VERSION
from reloadgate.places import look_at
from reloadgate.probe import Probe
from reloadgate.project import pipeline_root, write_record

RESUMED_STEPS = 3
"""Training steps that are resumed on the probe: one shows a lost slot, three let schedules and moments compound."""

LONGEST_NAME = 255
"""Bytes."""

ANY_PLACE, PERSISTENT = "any", "persistent"


def save(
    model: Any,
    version: str | os.PathLike[str],
    *,
    probe: Any,
    formats: Sequence[str] = ("keras",),
    builder: str | None = None,
    imports: Sequence[str] = (),
    code_path: Sequence[str] | None = None,
    steps: int = RESUMED_STEPS,
    epoch: int = 0,
    batch: int = 0,
    records: str | os.PathLike[str] | None = None,
    location: str = PERSISTENT,
) -> Path:
    """Save a model in every format asked for, with its evidence, as one atomic model version.

    The caller's model is bit for bit untouched afterwards.

    Args:
        model: a built `keras.Model`; compiled, if it is to go on training.
        version: the directory to make, `models/<name>/<version>`.
        probe: x, (x, y) or (x, y, sample_weight): real rows that the model is observed on, all as one batch.
        formats: names of `reloadgate.formats.FORMATS`.
        builder: "module:function" without arguments, returning a fresh compiled model: for weights and checkpoints.
        imports: modules that register the model's custom objects.
        code_path: folders in which `imports` are found, relative to the repository's root; default: the folder of the version's
            `params.yaml`, the repository's root, and the `src/` of both.
        steps: training steps to resume on the probe.
        epoch: how many epochs are complete; `restore` gives it back, and `batch` too.
        batch: how many batches of the next epoch are complete.
        records: a folder, tracked by git, that takes the version's small record `<name>.json` for the pipeline.
        location: "persistent", or "any" to allow a temporary place (for tests; the report says so).

    Returns:
        The version's directory.

    Raises:
        RefusedError: the version exists already, or its place will vanish.
        UsageError: an unknown format, one that needs a builder and has none, or a probe that is no batch.
        OSError: the disk takes no more; nothing of the version is there then.
    """
    from reloadgate.live.catalog import quick_walks

    destination = Path(version).absolute()
    _refuse_impossible(destination)
    forms = formats_named(formats)
    demand_builder([form.NAME for form in forms], builder)
    _refuse_vanishing(destination, location)
    if os.path.lexists(destination):
        raise RefusedError(
            f"the model version {destination} exists: versions are never changed in place; "
            "choose another version, or remove it (DVC keeps what it had)"
        )
    rows = Probe.of(probe)
    if destination.parent.is_dir():
        remove_abandoned(destination.parent)
    try:
        with staged_directory(destination) as staged, ThreadPoolExecutor(1) as beside, quick_walks(), _no_collections():
            evidence = staged / EVIDENCE_DIR
            evidence.mkdir()
            artifacts = tuple(Artifact(format=form.NAME, path=form.FILE, capability=form.CAPABILITY) for form in forms)
            written: list[Future[tuple[File, ...]]] = []

            def write_artifacts() -> None:
                left = [form.save(model, staged / form.FILE) for form in forms]
                written.append(beside.submit(_flushed, staged, left))  # while the model is traced, which waits for no file

            observed = _observe(model, rows, steps, artifacts, evidence, first=write_artifacts)
            recipe = Recipe(loader=None, builder=builder, imports=tuple(imports), code_path=_code_path(destination, code_path))
            _seal(evidence, observed, _progress(model, epoch, batch), artifacts, written[0].result(), recipe)
    except FileExistsError:
        raise RefusedError(f"the model version {destination} was published by another process in the meantime") from None
    except OSError as error:
        said = f"{destination} was not saved, and nothing of it is there: {error.strerror or error}"
        raise OSError(error.errno, said) from error
    if records is not None:
        write_record(Path(version), Path(records))
    return destination


def record(
    model: Any,
    version: str | os.PathLike[str],
    *,
    probe: Any,
    loader: str | None = None,
    builder: str | None = None,
    imports: Sequence[str] = (),
    code_path: Sequence[str] | None = None,
    steps: int = RESUMED_STEPS,
    epoch: int = 0,
    batch: int = 0,
    records: str | os.PathLike[str] | None = None,
) -> Path:
    """Take evidence for artifacts that your own code has saved.

    Args:
        version: the directory that holds the artifacts.
        loader: "module:function", called in the fresh process with the directory (`pathlib.Path`), returning a
            `keras.Model`; needed where the artifacts are in no format that reloadgate knows.
        model, probe, builder, imports, code_path, steps, epoch, batch, records: as for `save`.

    Returns:
        The version's directory.

    Raises:
        RefusedError: there is no such directory, or it has evidence already: evidence is never taken twice.
        UsageError: it holds no artifact that reloadgate can load.
    """
    from reloadgate.live.catalog import quick_walks

    directory = Path(version).absolute()
    if not directory.is_dir():
        raise RefusedError(f"{directory} is not a directory: save the model there first, then record it")
    if (directory / EVIDENCE_DIR).exists():
        raise RefusedError(
            f"{directory} has evidence already, and evidence is sealed: save into another version, "
            f"or remove {directory / EVIDENCE_DIR} if it was never used"
        )
    rows = Probe.of(probe)
    artifacts = artifacts_in(directory, loader)
    demand_builder([artifact.format for artifact in artifacts], builder)
    recipe = Recipe(loader=loader, builder=builder, imports=tuple(imports), code_path=_code_path(directory, code_path))
    remove_abandoned(directory)
    try:
        with staged_directory(directory / EVIDENCE_DIR) as staged, quick_walks(), _no_collections():
            files = manifest(directory, leave_out=staged.name)
            observed = _observe(model, rows, steps, artifacts, staged)
            _seal(staged, observed, _progress(model, epoch, batch), artifacts, files, recipe)
    except FileExistsError:
        raise RefusedError(f"{directory} was given evidence by another process in the meantime") from None
    if records is not None:
        write_record(Path(version), Path(records))
    return directory


@contextmanager
def _no_collections() -> Iterator[None]:
    """No search for garbage while the block runs: an observation makes enough to bring one about, and over all that a process
    holds in which TensorFlow trains it takes most of a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _observe(
    model: Any,
    probe: Probe,
    steps: int,
    artifacts: Sequence[Artifact],
    evidence: Path,
    first: Callable[[], object] = lambda: None,
) -> Observation:
    """Observe the live model; its arrays and the probe go into the folder `evidence`."""
    from reloadgate.live.observe import observe

    arrays = ArrayWriter()
    serve = any(artifact.format == saved_model.NAME for artifact in artifacts)
    observation = observe(model, probe, arrays, steps=steps, train=steps > 0, serve=serve, repeat=True, first=first)
    arrays.write(evidence / "arrays.npz")
    probe.write(evidence / "probe.npz")
    return observation


def _progress(model: Any, epoch: int, batch: int) -> Progress:
    optimizer = getattr(model, "optimizer", None)
    return Progress(epoch=epoch, batch=batch, step=0 if optimizer is None else int(optimizer.iterations.numpy()))


def _seal(
    evidence: Path,
    observation: Observation,
    progress: Progress,
    artifacts: tuple[Artifact, ...],
    files: tuple[File, ...],
    recipe: Recipe,
) -> None:
    from reloadgate.live.environment import environment

    write_evidence(
        evidence,
        SavedEvidence(
            schema_version=SCHEMA_VERSION,
            progress=progress,
            artifacts=artifacts,
            files=files,
            recipe=recipe,
            environment=environment(),
            hash_seed=os.environ.get("PYTHONHASHSEED", "random"),
            observation=observation,
            arrays_sha256=sha256_file(evidence / "arrays.npz")[0],
            probe_sha256=sha256_file(evidence / "probe.npz")[0],
        ),
    )


def _flushed(directory: Path, left: Iterable[Callable[[], object] | None]) -> tuple[File, ...]:
    """The manifest of a directory, once its files are on the disk; its evidence may be written meanwhile.

    Args:
        left: what formats have left to be written.
    """
    for write_out in left:
        if write_out:
            write_out()
    files = manifest(directory)
    for file in files:
        sync_file(directory / file.path)
    return files


def manifest(directory: Path, leave_out: str = EVIDENCE_DIR) -> tuple[File, ...]:
    """Every file of a model version but its evidence.

    Raises:
        RefusedError: one is no regular file, or cannot be read.
    """
    found = []
    for name in regular_files(directory, leave_out=leave_out):
        if name.parts[0].startswith(STAGING):
            continue  # another process is about to publish
        try:
            sha256, size = sha256_file(directory / name)
        except OSError as error:
            raise RefusedError(f"{directory / name} cannot be recorded: {error.strerror}; take it out of the version") from None
        found.append(File(path=name.as_posix(), sha256=sha256, size=size))
    return tuple(found)


def _refuse_impossible(destination: Path) -> None:
    for part in destination.parts:
        if len(os.fsencode(part)) > LONGEST_NAME:
            raise RefusedError(f"a name of {len(os.fsencode(part))} bytes, and file systems take {LONGEST_NAME}: {part[:40]}…")
    for parent in destination.parents:
        if os.path.lexists(parent) and not parent.is_dir():
            raise RefusedError(f"{parent} is no directory, so nothing can be saved below it")


def _refuse_vanishing(destination: Path, location: str) -> None:
    if location == ANY_PLACE:
        return
    place = look_at(destination)
    if place.problems:
        raise RefusedError(
            f"{'; '.join(place.problems)}: a model saved there is lost. Save below the project, as "
            'models/<name>/<version>, or pass location="any" if it may be'
        )


def _code_path(version: Path, given: Sequence[str] | None) -> tuple[str, ...]:
    """Folders relative to the project's root where they lie inside it, so that the project can move."""
    root = project_root(version)
    base = root or Path.cwd()
    if given is None:
        homes = dict.fromkeys((pipeline_root(version) or base, base))
        folders = [folder for home in homes for folder in (home, home / "src") if folder == home or folder.is_dir()]
    else:
        folders = [base / folder for folder in given]
    return tuple(
        path.relative_to(root).as_posix() if root and (path == root or root in path.parents) else str(path) for path in folders
    )
