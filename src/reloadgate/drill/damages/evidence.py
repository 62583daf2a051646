"""Evidence that is not that of the model, or not what was recorded. The manifest is left as it is: seals are what answers."""

import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.damage import Declared, Scope
from reloadgate.drill.tensors import Values
from reloadgate.drill.trials import Area
from reloadgate.evidence import EVIDENCE_DIR, Observation, SavedEvidence
from reloadgate.files import sha256_file
from reloadgate.ndarrays import array_digest

DAMAGES = damage = Declared(Area.EVIDENCE, Scope.VERSION, matched=False)

ARRAYS, PROBE, RECORD = "arrays.npz", "probe.npz", "evidence.json"


def _arrays(copy: Copy, prefix: str) -> dict[str, Values]:
    """The arrays of the evidence, those of a prefix moved a little."""
    with np.load(copy.evidence / ARRAYS) as npz:
        arrays = dict(npz)
    names = [name for name, values in arrays.items() if name.startswith(prefix) and values.dtype.kind == "f" and values.size]
    if not names:
        raise DoesNotApplyError(f"its evidence keeps nothing of {prefix.rstrip('/')}")
    for name in names:
        arrays[name] = arrays[name] + np.asarray(1e-3, arrays[name].dtype)
    return arrays


def _write_arrays(copy: Copy, arrays: dict[str, Values]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    copy.write(copy.evidence / ARRAYS, buffer.getvalue())


@damage("missing", "a version was copied without its evidence", "2.1")
def _missing(copy: Copy) -> None:
    (copy.evidence / RECORD).unlink()


def _file_lost(name: str) -> None:
    @damage(f"{name} is missing", "a version was copied in part", "0.2")
    def _lost(copy: Copy) -> None:
        path = copy.evidence / name
        if not path.is_file():
            raise DoesNotApplyError(f"its evidence has no {name}")
        path.unlink()

    @damage(f"{name} is truncated", "a version was copied in part", "0.2")
    def _cut(copy: Copy) -> None:
        path = copy.evidence / name
        if not path.is_file():
            raise DoesNotApplyError(f"its evidence has no {name}")
        copy.write(path, path.read_bytes()[: path.stat().st_size // 2])


_file_lost(ARRAYS)
_file_lost(PROBE)


@damage("recorded predictions are altered", "what was predicted is made to fit what is predicted now", "4.6")
def _predictions(copy: Copy) -> None:
    _write_arrays(copy, _arrays(copy, "predict/"))


@damage("recorded losses are altered", "the trajectory is made to fit another", "4.6")
def _losses(copy: Copy) -> None:
    _write_arrays(copy, _arrays(copy, "log/"))


@damage("altered, and not sealed", "somebody edited the record by hand", "4.6")
def _unsealed(copy: Copy) -> None:
    path = copy.evidence / RECORD
    data = json.loads(path.read_bytes())
    data["record"]["progress"]["epoch"] += 1
    copy.write(path, json.dumps(data).encode())


def _resealed(change: Callable[[SavedEvidence], SavedEvidence]) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        copy.saved = change(copy.saved)
        copy.seal()

    return apply


def _observed(change: Callable[[Observation], Observation]) -> Callable[[Copy], None]:
    return _resealed(lambda saved: replace(saved, observation=change(saved.observation)))


damage("of another environment", "evidence of another machine: tolerances are wider there", "1.6")(
    _resealed(lambda saved: replace(saved, environment=replace(saved.environment, tensorflow="0.0", keras="0.0")))
)
damage("its noise floors are raised", "a floor that excuses everything", "4.6")(
    _observed(
        lambda seen: replace(
            seen,
            outputs=tuple(replace(output, noise=1e6) for output in seen.outputs),
            variables=tuple(replace(variable, noise=1e6) for variable in seen.variables),
        )
    )
)
damage("its resumed steps are left out", "nothing is recorded of how training goes on", "1.3")(
    _observed(lambda seen: replace(seen, steps=0, logs=()))
)
damage("its predictions are left out", "nothing is recorded of what the model says", "3")(
    _observed(lambda seen: replace(seen, outputs=()))
)
damage("a variable is left out", "evidence of a smaller model", "3.1")(
    _observed(lambda seen: replace(seen, variables=seen.variables[1:]))
)


@damage("an artifact is left out", "what is not listed is not looked at", "4.6")
def _no_artifact(copy: Copy) -> None:
    copy.saved = replace(copy.saved, artifacts=())
    copy.seal()


@damage("another probe", "the probe is made again from a seed, or from other data", "Evidence: the probe is kept as bytes")
def _other_probe(copy: Copy) -> None:
    path = copy.evidence / PROBE
    with np.load(path) as npz:
        leaves = dict(npz)
    name = next((n for n, leaf in leaves.items() if n.startswith("leaf") and leaf.shape[0] > 1), None)
    if name is None or array_digest(leaves[name]) == array_digest(np.ascontiguousarray(leaves[name][::-1])):
        raise DoesNotApplyError("the rows of its probe are all the same")
    leaves[name] = leaves[name][::-1]
    buffer = io.BytesIO()
    np.savez(buffer, **leaves)
    copy.write(path, buffer.getvalue())
    copy.saved = replace(copy.saved, probe_sha256=sha256_file(path)[0])
    copy.seal()


@damage("of another model", "the evidence of another version was copied along", "3.1")
def _another_model(copy: Copy) -> None:
    other = next(iter(copy.original.others), None)
    if other is None:
        raise DoesNotApplyError("no other model lies beside it")
    for path in (other / EVIDENCE_DIR).iterdir():
        copy.write(copy.evidence / path.name, path.read_bytes())
