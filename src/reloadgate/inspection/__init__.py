"""What an artifact is and whether it is safe to load, without TensorFlow and without running or importing anything of it.

    inspect, refusals        the interface; both look in a process with limits of its own (`child`)
    kinds                    which kind of artifact a path is
    keras_archive, weights, legacy, bundle, saved_model, arrays, pickles       one module a kind
    configuration, expected, agreement      classes and functions by an allow-list; what a configuration says of the weights
    archive, documents, hdf5, messages      containers and what they may be: zip, JSON, HDF5, protobuf
    reading                  one descriptor, a private copy, nothing followed
    declared, tables/        what may be named; `tools/allow_lists.py` makes the tables from the installed Keras
    found, limits            nouns

Everything is refused that is not known to be needed. `docs/security.md` says what is promised.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from reloadgate.errors import EngineError
from reloadgate.files import remove_abandoned
from reloadgate.inspection.found import Finding, Inspected
from reloadgate.inspection.limits import Limits
from reloadgate.nouns import from_dict, to_dict

__all__ = ["Finding", "Inspected", "Limits", "inspect", "refusals"]

KEPT = ("PATH", "TMPDIR", "LANG", "LC_ALL", "SYSTEMROOT")


def inspect(paths: Sequence[Path], declared: Iterable[str] = (), limits: Limits | None = None) -> list[Inspected]:
    """Inspect artifacts: files, directories, or prefixes of checkpoints.

    Args:
        declared: custom classes and functions that the user knows, as "module:Class" or by registered name ("acme>Scale").

    Raises:
        EngineError: the inspecting process could not be started, or ended.
    """
    from reloadgate.inspection.child import Job

    remove_abandoned()
    names, most = tuple(declared), limits or Limits()
    jobs = [Job(path=str(Path(path).absolute()), declared=names, limits=most) for path in paths]
    environment = {key: os.environ[key] for key in KEPT if key in os.environ}
    # Plugins of HDF5 are libraries that a file can ask for by number; threads would not survive the fork.
    environment |= {"HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "-m", "reloadgate.inspection.child"]
    lines = "".join(json.dumps(to_dict(job)) + "\n" for job in jobs)
    ended = subprocess.run(command, input=lines, capture_output=True, text=True, env=environment, cwd="/", check=False)
    answers = ended.stdout.splitlines()
    if ended.returncode or len(answers) != len(jobs):
        raise EngineError(f"the inspecting process ended with {ended.returncode}: {ended.stderr.strip()[-300:]}")
    return [from_dict(Inspected, json.loads(answer)) for answer in answers]


HARMLESS = frozenset({"missing-weights", "extra-weights", "shape", "dtype", "missing-optimizer", "optimizer", "nonfinite"})
"""Codes of what is wrong with the model and does no harm when it is loaded: what exactly it lost, a reload can say."""


def refusals(
    path: Path, declared: Iterable[str] = (), limits: Limits | None = None, *, meanwhile: Callable[[], None] = lambda: None
) -> list[Finding]:
    """Why an artifact is refused; empty when it is not.

    It forks the calling process, which must have one thread: meant for the process that is about to load.

    Args:
        meanwhile: what the calling process does while the other looks.
    """
    from reloadgate.inspection.child import Job, run

    job = Job(path=str(Path(path).absolute()), declared=tuple(declared), limits=limits or Limits())
    return [finding for finding in all_findings(run(job, meanwhile)) if finding.refused]


def all_findings(inspected: Inspected) -> list[Finding]:
    """The findings of an artifact and of its parts, refusals first."""
    found = [*inspected.findings, *(finding for part in inspected.parts for finding in all_findings(part))]
    return sorted(found, key=lambda finding: not finding.refused)


def said(finding: Finding) -> str:
    """A finding in one line."""
    remedy = f" — {finding.remedy}" if finding.remedy else ""
    return f"{finding.place}: {finding.message} [{finding.code}]{remedy}"
