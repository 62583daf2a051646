"""Why a damage was let through, and what would catch it: the policy, the probe, or the steps."""

from collections.abc import Iterator

import numpy as np

from reloadgate.arrays import Kept
from reloadgate.comparison import Outcome
from reloadgate.drill.copies import Original
from reloadgate.errors import UnreadableRecordError
from reloadgate.evidence import PREDICT, Group
from reloadgate.policy import Policy
from reloadgate.probe import Probe, leaves
from reloadgate.verdict import Finding, ModelVerdict, Status


def advice_for(verdict: ModelVerdict, policy: Policy, original: Original, recorded: bool) -> tuple[str, ...]:
    """What would have caught a damage that passed, most certain first.

    Args:
        recorded: whether the version has a record that git tracks.
    """
    said = [*_tolerances(verdict.findings), *_settings(verdict.findings, policy)]
    if not recorded:
        said.append('a record of the version that git tracks: `reloadgate.save(..., records="reports/versions")`')
    return tuple(dict.fromkeys([*said, *(() if said else _probe(verdict, original))]))


def _tolerances(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Differences that a tolerance excused, with the largest one under which each setting would have failed."""
    excused: dict[str, float] = {}
    for finding in findings:
        if finding.status is Status.PASS and finding.row.difference is not None and finding.setting:
            measured = finding.smallest_tolerance
            if measured is not None:
                excused[finding.setting] = max(excused.get(finding.setting, 0.0), measured)
    for setting, measured in sorted(excused.items()):
        yield f"a tighter tolerance: `{setting}` below {measured:.6g}"


def _settings(findings: tuple[Finding, ...], policy: Policy) -> Iterator[str]:
    """Settings of the policy under which a finding that is only told would have failed."""
    for finding in findings:
        row = finding.row
        if row.outcome is Outcome.BROKEN and row.group is Group.LOCATION and finding.status is Status.NOTED:
            yield "`policy.location: persistent`"
        if finding.status is Status.SKIPPED and "the policy requires that it can infer" in row.detail:
            yield "`policy.requires: {version: resume}`: what only training needs was not asked for"
        if finding.status is Status.PASS and row.flips:
            yield f"`policy.flips` below {row.flips} (it is {policy.flips})"


def _probe(verdict: ModelVerdict, original: Original) -> Iterator[str]:
    """Nothing differed at all: what the probe does not reach."""
    still = [f.row.subject for f in verdict.findings if f.row.outcome is Outcome.NOT_EXERCISED]
    if still:
        yield f"a probe that exercises {', '.join(dict.fromkeys(still))}: nothing moved there in the recorded steps"
    yield from _units(original)
    yield from _classes(original)
    yield from _tokens(original)
    steps = original.saved.observation.steps
    if steps:
        yield f"more than {steps} resumed steps (`save(..., steps=)`), and a larger probe: no prediction and no step moved"
    else:
        yield "resumed steps: none were recorded"


def _units(original: Original) -> Iterator[str]:
    """Layers of which the probe activates only a part."""
    observed = original.saved.observation
    rows = next((output.value.shape[0] for output in observed.outputs if output.value.shape), 0)
    for one in observed.silent:
        yield (
            f"a larger probe: {one.units} of the {one.of} units of {one.layer} are zero on all of its {rows} rows, so what leads "
            "to and from them is in no prediction"
        )


def _classes(original: Original) -> Iterator[str]:
    """Decisions that no row of the probe leads to."""
    for output in original.saved.observation.outputs:
        shape = output.value.shape
        if output.mode != PREDICT or len(shape) != 2 or shape[1] < 3 or output.value.kept is not Kept.VALUES:
            continue
        made = set(np.argmax(original.arrays.get(output.value).astype(np.float64), axis=1).tolist())
        never = [number for number in range(shape[1]) if number not in made]
        if never:
            yield f"a larger probe: {output.name} is never {', '.join(map(str, never[:10]))} on its {shape[0]} rows"


def _tokens(original: Original) -> Iterator[str]:
    """Entries of vocabularies that occur in no text of the probe."""
    from reloadgate.evidence import EVIDENCE_DIR

    try:
        probe = Probe.read(original.version / EVIDENCE_DIR / "probe.npz")
    except UnreadableRecordError:
        return
    texts = [leaf for leaf in leaves(probe.x) if getattr(leaf, "dtype", np.dtype(float)).kind in "SU"]
    if not texts:
        return
    text = "\n".join(
        str(item.decode("utf-8", "replace") if isinstance(item, bytes) else item) for leaf in texts for item in leaf.flat
    )
    for asset in original.saved.observation.assets:
        if asset.key.endswith("vocabulary.txt") and asset.value.kept is Kept.VALUES:
            tokens = bytes(original.arrays.get(asset.value).astype(np.uint8)).decode("utf-8", "replace").split("\n")
            never = [token for token in tokens if token and token.lower() not in text.lower()]
            if never:
                yield f"a larger probe: {len(never)} of {len(tokens)} entries of {asset.key} never occur in its texts"
