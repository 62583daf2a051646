"""`restore`: everything back, so that training goes on as if it had never stopped."""

import os
from pathlib import Path
from typing import Any

from reloadgate.arrays import ArrayReader, ArrayWriter
from reloadgate.errors import RefusedError
from reloadgate.evidence import (
    EVIDENCE_DIR,
    Artifact,
    Capability,
    Kind,
    Progress,
    SavedEvidence,
    Unsealed,
    broken_seals,
    read_sealed,
)
from reloadgate.files import scratch, sha256_file
from reloadgate.formats import belongs, format_named, own
from reloadgate.formats.built import build_optimizer
from reloadgate.inspection import HARMLESS, all_findings, inspect, said
from reloadgate.ndarrays import array_digest
from reloadgate.probe import Probe
from reloadgate.project import limits_above


def restore(version: str | os.PathLike[str]) -> tuple[Any, Progress]:
    """The model of a version and its progress: weights, optimizer, and the random state that no format holds.

    Continuing with the same data in the same order gives bit for bit what the uninterrupted run gives; what the metrics had
    summed up within an epoch begins anew, as `fit` has it. The declared imports
    and the loader or builder must be importable here. What is loaded is a copy of the bytes that were hashed and inspected; your
    own loader is given the version's directory.

    Returns:
        The compiled model, and how many epochs, batches of the next epoch, and steps in all were complete.

    Raises:
        RefusedError: the files or the evidence are not those that were recorded, no artifact can resume, inspection refuses it,
            or what was loaded is not the model that was saved.
        UnreadableRecordError: the version has no evidence.
    """
    from reloadgate.live.declared import declared

    directory = Path(version).absolute()
    sealed = read_sealed(SavedEvidence, directory / EVIDENCE_DIR)
    saved, arrays = sealed.record, ArrayReader(directory / EVIDENCE_DIR / "arrays.npz")
    artifact = resuming(directory, saved)
    form = format_named(artifact.format)
    with scratch("restore") as folder:
        refuse_altered(directory, sealed, None if form is own else artifact, folder)
        names = declared(saved.recipe, directory)
        if form is not own:
            _refuse_uninspected(folder / artifact.path, names, directory)
        inputs = None
        if saved.probe_sha256 is not None and form.NEEDS_BUILDER:
            from reloadgate.live.look import Look

            inputs = Look(None, Probe.read(directory / EVIDENCE_DIR / "probe.npz"), ArrayWriter()).inputs[0]
        model = form.load(directory if form is own else folder / artifact.path, saved.recipe, inputs)
    put_in_place(model, saved, arrays, directory)
    return model, saved.progress


def _refuse_uninspected(path: Path, names: list[str], directory: Path) -> None:
    (inspected,) = inspect([path], names, limits_above(directory))
    refused = [one for one in all_findings(inspected) if one.refused and one.code not in HARMLESS]
    if refused:
        raise RefusedError(f"{directory} was not loaded, because inspection refuses it: {said(refused[0])}")


def refuse_altered(
    directory: Path, saved: Unsealed[SavedEvidence], artifact: Artifact | None = None, copies: Path | None = None
) -> None:
    """Raise where a file of the version or of its evidence is not what was recorded.

    Args:
        artifact: its files are copied into `copies` while they are hashed.
    """
    altered = broken_seals(directory / EVIDENCE_DIR, saved)
    for file in saved.record.files:
        path, copy = directory / file.path, None
        if artifact and copies and belongs(artifact, Path(file.path)):
            copy = copies / file.path
            copy.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or sha256_file(path, copy_to=copy)[0] != file.sha256:
            altered.append(f"{file.path}: {'not the bytes that were recorded' if path.is_file() else 'missing'}")
    if altered:
        raise RefusedError(
            f"{directory} is not the version that was recorded: {'; '.join(altered)}; take it back from where you keep it "
            "(with DVC: `dvc checkout --force`)"
        )


def resuming(directory: Path, saved: SavedEvidence) -> Artifact:
    """The first artifact that can resume."""
    for artifact in saved.artifacts:
        if artifact.capability is Capability.RESUME:
            return artifact
    raise RefusedError(f"{directory} has no artifact that can go on training; save it as `.keras` too")


def put_metrics_back(model: Any, saved: SavedEvidence, arrays: ArrayReader) -> None:
    """Let the metrics go on summing up where they were: what they report of an epoch is of the whole of it."""
    from reloadgate.live.catalog import metrics_state
    from reloadgate.live.variables import write

    values = {variable.key: variable.value for variable in saved.observation.metrics}
    for key, variable in metrics_state(model):
        if key in values:
            write(variable, arrays.get(values[key]))


def put_in_place(model: Any, saved: SavedEvidence, arrays: ArrayReader, directory: Path) -> None:
    """Give a loaded model the state that no format holds, and hold every variable against the evidence."""
    from reloadgate.live.catalog import GLOBAL_SEED, catalog, demand_global_seed
    from reloadgate.live.observe import RESTORED
    from reloadgate.live.variables import read, write

    build_optimizer(model)
    recorded = {variable.key: variable for variable in saved.observation.variables if variable.kind is not Kind.UNTRACKED}
    demand_global_seed(recorded)
    entries = {entry.key: entry for entry in catalog(model).entries}
    if GLOBAL_SEED not in recorded:  # this process has drawn from it, and the one that saved had not
        entries.pop(GLOBAL_SEED, None)
    for key, variable in recorded.items():
        if variable.kind in RESTORED and key in entries:
            write(entries[key].variable, arrays.get(variable.value))
    wrong = sorted(
        key
        for key in {*recorded, *entries}
        if key not in recorded or key not in entries or array_digest(read(entries[key].variable)) != recorded[key].value.sha256
    )
    if wrong:
        raise RefusedError(
            f"{directory}: {len(wrong)} variables are not those that were saved, the first {wrong[0]}; "
            f"`reloadgate verify {directory}` says what was lost"
        )
