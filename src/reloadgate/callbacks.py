"""`SaveVersions`: verified model versions during training, kept and pruned, and exact resume after a kill."""

import contextlib
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from reloadgate.arrays import ArrayReader
from reloadgate.engine import LocalEngine
from reloadgate.errors import RefusedError, UnreadableRecordError, UsageError
from reloadgate.evidence import EVIDENCE_DIR, SavedEvidence, read_sealed
from reloadgate.files import STAGING, remove_abandoned
from reloadgate.formats import keras_archive
from reloadgate.formats.built import build_layers, build_optimizer
from reloadgate.live.look import as_inputs
from reloadgate.nouns import SCHEMA_VERSION, noun, read_record, to_dict, write_json
from reloadgate.policy import Policy
from reloadgate.probe import Probe
from reloadgate.recording import PERSISTENT, save
from reloadgate.restoring import put_in_place, put_metrics_back, refuse_altered
from reloadgate.text import error_line
from reloadgate.verdict import Status
from reloadgate.verifying import verify

LEDGER = "versions.json"
"""Beside the versions: the verdict of each. A version that is not in it was never judged."""


@noun
class Kept:
    epoch: int
    batch: int
    evidence_sha256: str
    status: Status
    score: float | None


@noun
class Ledger:
    schema_version: str
    versions: dict[str, Kept]


class SaveVersions(keras.callbacks.Callback):  # type: ignore[misc]
    """Save a version every so many epochs or steps, verify it in a fresh process, keep the last and the best, and resume.

    A version that does not pass is warned about and is never resumed from; training goes on. Where training was killed,
    `fit` with the same arguments continues after the last version that passed and ends with the same bits, if the order of
    the data depends on the epoch alone (`shuffle=False`, or a `PyDataset` that shuffles by a seed and its epoch). Versions
    after that one did not pass: they are removed, with a warning, and saved anew; a folder in which none passed is refused
    before anything is trained. In an epoch that is resumed midway the batches that were done are read and left alone, and its
    logs are of all of them, because the metrics go on summing up where they were (for strings and ragged batches, whose metrics
    Keras cannot build beforehand, of the others). What other callbacks keep in Python (the patience of `ReduceLROnPlateau`)
    starts anew.

    Args:
        folder: takes the versions, `epoch-00001` or `epoch-00000-batch-000500` and so on.
        probe: as for `reloadgate.save`; so are `imports`, `code_path` and `location`.
        every: epochs, or steps of an epoch, from one version to the next.
        unit: what `every` counts: "epoch" or "step" (a batch).
        keep: how many of the last versions stay. The last that passed and the best that passed always stay.
        best: the name of a log (`val_loss`; steps have no `val_` logs); None keeps no best. One that the logs lack is warned of.
        mode: whether a smaller or a larger value of it is better.
        policy: what a version must meet.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        probe: Any,
        every: int = 1,
        unit: Literal["epoch", "step"] = "epoch",
        keep: int = 3,
        best: str | None = None,
        mode: Literal["min", "max"] = "min",
        imports: Sequence[str] = (),
        code_path: Sequence[str] | None = None,
        location: str = PERSISTENT,
        policy: Policy | None = None,
    ) -> None:
        super().__init__()
        if every < 1 or keep < 1:
            raise UsageError(f"SaveVersions saves every 1 {unit} or more and keeps 1 version or more, not {every} and {keep}")
        if unit not in ("epoch", "step"):
            raise UsageError(f"SaveVersions counts by `epoch` or by `step`, not by {unit!r}")
        if mode not in ("min", "max"):
            raise UsageError(f"SaveVersions takes the best by `min` or by `max`, not by {mode!r}")
        if unit == "step" and best is not None and best.startswith("val_"):
            raise UsageError(f"{best} is known at the end of an epoch only: count by `epoch`, or choose a log of the steps")
        self.folder, self.probe, self.every, self.unit, self.keep = Path(folder), probe, every, unit, keep
        self.best, self.mode, self.policy = best, mode, policy or Policy()
        self._options = {"imports": imports, "code_path": code_path, "location": location}
        self._open = contextlib.ExitStack()
        self._engine: LocalEngine | None = None
        self._warned = False
        self._epoch = self._done = 0
        """The epoch under way, and the batches of it that are in the weights already."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Continue after the last version that passed; what a kill left unjudged is judged first.

        Raises:
            RefusedError: versions lie there, and none of them can be resumed from.
        """
        if self.folder.is_dir():
            remove_abandoned(self.folder)
        versions = sorted(path for path in self.folder.glob("epoch-*") if path.is_dir())
        for version in versions:
            if version.name not in self._ledger():
                self._judge(version, None)
        ledger = self._ledger()
        passed = [name for name, kept in ledger.items() if kept.status is Status.PASS and self._whole(name, kept)]
        if passed:
            last = max(passed, key=lambda name: _age(ledger[name]))
            self._resume(self.folder / last)
            if after := [name for name, kept in ledger.items() if _age(kept) > _age(ledger[last])]:
                removed = f"removed, to be trained again: {', '.join(after)}, which did not pass or is not whole"
                warnings.warn(f"training goes on after {self.folder / last}; {removed}", stacklevel=2)
                self._remove(after)
        elif versions:
            names = ", ".join(version.name for version in versions)
            raise RefusedError(
                f"{self.folder} holds {names}, of which none passed and is whole (`reloadgate verify {versions[0]}` says why): "
                "training would begin anew, and versions are never saved over; choose another folder, or remove this one"
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done = batch + 1
        if self.unit == "step" and done > self._done:
            # Several batches may come at once (`steps_per_execution`): the last of them is where a version can be.
            before, self._done = self._done, done
            if done // self.every > before // self.every:
                self._save(f"epoch-{self._epoch:05}-batch-{done:06}", self._epoch, done, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._done = 0
        if self.unit == "epoch" and (epoch + 1) % self.every == 0:
            self._save(f"epoch-{epoch + 1:05}", epoch + 1, 0, logs)

    def _save(self, name: str, epoch: int, batch: int, logs: dict[str, float] | None) -> None:
        version = self.folder / name
        save(self.model, version, probe=self.probe, epoch=epoch, batch=batch, **self._options)  # type: ignore[arg-type]
        known = logs or {}
        if self.best and self.best not in known and not self._warned:
            self._warned = True
            there = ", ".join(sorted(known)) or "none"
            warnings.warn(f"{version} cannot be the best: its logs have no {self.best!r}; there are {there}", stacklevel=2)
        self._judge(version, known.get(self.best) if self.best else None)
        self._prune()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._open.close()
        self._engine = None
        self.model._initial_epoch = None

    def _judge(self, version: Path, score: float | None) -> None:
        if self._engine is None:
            self._engine = self._open.enter_context(LocalEngine())
        verdict = verify(version, policy=self.policy, engine=self._engine)
        if verdict.status is not Status.PASS:
            first = next(iter(verdict.of(Status.FAIL, Status.ERROR, Status.UNVERIFIED)), None)
            warnings.warn(
                f"the version {version} is {verdict.status}: {first.message if first else verdict.reason}; "
                f"`reloadgate verify {version}` says more",
                stacklevel=2,
            )
        try:
            saved = read_sealed(SavedEvidence, version / EVIDENCE_DIR)
        except UnreadableRecordError:
            return
        score = float(score) if score is not None and math.isfinite(score) else None  # JSON has no NaN
        at = saved.record.progress
        kept = Kept(epoch=at.epoch, batch=at.batch, evidence_sha256=saved.sha256, status=verdict.status, score=score)
        self._write(self._ledger() | {version.name: kept})

    def _ledger(self) -> dict[str, Kept]:
        """What was judged and is still there."""
        path = self.folder / LEDGER
        try:
            versions = read_record(Ledger, path).versions if path.exists() else {}
        except UnreadableRecordError as error:
            raise UnreadableRecordError(f"{error}; remove it: the versions beside it are judged again") from None
        return {name: kept for name, kept in versions.items() if (self.folder / name).is_dir()}

    def _write(self, versions: dict[str, Kept]) -> None:
        write_json(self.folder / LEDGER, to_dict(Ledger(schema_version=SCHEMA_VERSION, versions=versions)))

    def _whole(self, name: str, kept: Kept) -> bool:
        try:
            return read_sealed(SavedEvidence, self.folder / name / EVIDENCE_DIR).sha256 == kept.evidence_sha256
        except UnreadableRecordError:
            return False

    def _resume(self, version: Path) -> None:
        sealed = read_sealed(SavedEvidence, version / EVIDENCE_DIR)
        saved, arrays = sealed.record, ArrayReader(version / EVIDENCE_DIR / "arrays.npz")
        refuse_altered(version, sealed)
        try:
            build_layers(self.model, as_inputs(Probe.of(self.probe).x))
            build_optimizer(self.model)
            self.model.load_weights(version / keras_archive.FILE)
            put_in_place(self.model, saved, arrays, version)
        except (ValueError, RefusedError) as error:
            raise RefusedError(
                f"{version} cannot be resumed by the model that `fit` was called on: choose another folder for another model, or "
                f"remove {self.folder} ({error_line(error, 300)})"
            ) from None
        self.model._initial_epoch, self._done = saved.progress.epoch, saved.progress.batch
        if self._done:
            self._leave_out(self._done, saved, arrays)

    def _leave_out(self, batches: int, saved: SavedEvidence, arrays: ArrayReader) -> None:
        """Have `fit` read the batches that were done and leave them alone, then go on as ever, its metrics too."""
        train, left = self.model.train_function, batches

        def leaving(iterator: Iterator[Any]) -> Any:
            nonlocal left
            if left <= 0:
                self.model.train_function = train
                return train(iterator)
            batch = None
            for _ in range(min(left, self.model.steps_per_execution)):
                batch = next(iterator)
                left -= 1
            try:
                self.model._symbolic_build(data_batch=batch)  # metrics would be built by the first step, at their beginning
                put_metrics_back(self.model, saved, arrays)
                return self.model.get_metrics_result()
            except (TypeError, ValueError, RuntimeError):  # no symbol for such a batch: strings, ragged
                return {}

        self.model.train_function = leaving

    def _prune(self) -> None:
        """Remove all but the last, the last that passed and the best that passed."""
        ledger = self._ledger()
        by_age = sorted(ledger, key=lambda name: _age(ledger[name]))
        passed = [name for name in by_age if ledger[name].status is Status.PASS]
        scores = {name: score for name in passed if (score := ledger[name].score) is not None}
        sign = 1 if self.mode == "min" else -1
        best = [min(scores, key=lambda name: sign * scores[name])] if scores else []
        stay = {*by_age[-self.keep :], *passed[-1:], *best}
        self._remove([name for name in by_age if name not in stay])

    def _remove(self, names: Sequence[str]) -> None:
        """The ledger forgets them first; under another name none of them is ever half there."""
        self._write({name: kept for name, kept in self._ledger().items() if name not in names})
        for name in names:
            shutil.rmtree((self.folder / name).rename(self.folder / f"{STAGING}{name}"), ignore_errors=True)


def _age(kept: Kept) -> tuple[int, int]:
    """What versions are ordered by: their names are for people, and `10` sorts before `9`."""
    return kept.epoch, kept.batch
