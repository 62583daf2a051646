"""A directory of checkpoints: bundles, and the state file that says which is the newest."""

import re

from reloadgate.inspection import bundle
from reloadgate.inspection.documents import parsed
from reloadgate.inspection.found import RefusedError, Report
from reloadgate.inspection.limits import Limits
from reloadgate.inspection.pickles import is_program
from reloadgate.inspection.reading import Folder, Source

STATE = re.compile(
    r"(?:(model_checkpoint_path|all_model_checkpoint_paths): \"([^\"\\\n]*)\"|"
    r"(?:all_model_checkpoint_timestamps|last_preserved_timestamp): -?[\d.]+(?:e[+-]?\d+)?)"
)


def state_of(source: Source, limits: Limits) -> list[str]:
    """The prefixes that a `checkpoint` state file names, the newest first.

    Raises:
        RefusedError: it is no such file, or names anything but files beside it.
    """
    if source.size > limits.metadata:
        raise RefusedError("too-large", source.name, f"a state file of {source.size} bytes")
    try:
        lines = source.read().decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise RefusedError("utf8", source.name, "no UTF-8 text") from None
    found: dict[str, list[str]] = {"model_checkpoint_path": [], "all_model_checkpoint_paths": []}
    for line in lines:
        match = STATE.fullmatch(line)
        if not match:
            raise RefusedError("state-file", source.name, f"a line that TensorFlow does not write: {line[:80]!r}")
        if match[1] is not None:
            if "/" in match[2] or "\\" in match[2] or match[2] in ("", ".", ".."):
                raise RefusedError("path", source.name, f"it leads to {match[2]!r}, which is not beside it")
            found[match[1]].append(match[2])
    newest, every = found.values()
    if len(newest) != 1:
        raise RefusedError("state-file", source.name, f"it names {len(newest)} checkpoints as the newest, and not one")
    return list(dict.fromkeys([*newest, *every]))


def inspect(folder: Folder, limits: Limits, report: Report) -> None:
    """Every checkpoint of a directory, and the state file that says which is the newest."""
    report.kind = "checkpoint"
    prefixes = sorted(name.removesuffix(".index") for name in folder.files if name.endswith(".index") and "/" not in name)
    state = folder.files.get("checkpoint")
    named = state_of(state, limits) if state else []
    if not prefixes and not named:
        raise RefusedError("missing-index", report.path, "no index of a checkpoint is there")
    for prefix in dict.fromkeys([*named[:1], *prefixes]):
        bundle.inspect(folder, prefix, limits, report)
    for prefix in named[1:]:
        if prefix not in prefixes:
            report.note("state-file", "checkpoint", f"it names {prefix}, which is not there any more")
    for name, source in folder.files.items():
        own = any(name.startswith(f"{prefix}.") for prefix in prefixes)
        if name != "checkpoint" and not own:
            _note_other(name, source, limits, report)


def _note_other(name: str, source: Source, limits: Limits, report: Report) -> None:
    if is_program(source):
        report.refuse("pickle", name, "a program, which runs when it is read")
    elif name.endswith(".json"):
        parsed(source.read(0, limits.config + 1), name, limits.config, limits)
    else:
        report.note("extra-file", name, "TensorFlow writes no such file beside a checkpoint")
