"""The page that people read: `report.html`, one file that asks for nothing outside itself.

What is said is decided here, how it looks in `templates/report.html.j2`. Pictures are drawn of what does not hold alone.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from reloadgate import pictures
from reloadgate.comparison import ArtifactFacts, Comparison, ModelComparison
from reloadgate.drift import Drift
from reloadgate.evidence import Environment, Group
from reloadgate.exhibits import Exhibits, ProbeRow
from reloadgate.nouns import noun, to_dict
from reloadgate.remedies import unlooked
from reloadgate.text import one_line
from reloadgate.verdict import BAD, Finding, ModelVerdict, Status, Verdict, worst, worst_first

TOLD = 5
"""Findings of a group that are told in full; the rest stand in the table of all checks."""

PICTURED = 8
"""Models that pictures are drawn of, worst first: a picture takes a fifth of a second."""

DRIFTED = 20
"""Weights that are told of a version that differs from another revision's."""

LONGEST = 10_000
"""Characters of one text: only what somebody forged is longer."""

# What Markdown and the HTML in it would take for more than text; an underscore within a word is none.
MARKUP = re.compile(r"[\\*~$`|]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[])")

WORDS = {
    Status.PASS: "everything that the policy asks for was checked and holds",
    Status.FAIL: "something was checked and does not hold",
    Status.UNVERIFIED: "something that the policy asks for could not be checked",
    Status.ERROR: "the checking itself broke, which says nothing of the model",
}


@noun
class GroupView:
    """One group of checks of one model."""

    group: Group
    status: str
    """The worst of its findings, or NONE where there was nothing of the kind to check."""
    said: str
    bad: tuple[Finding, ...]
    more: int
    """How many more are bad than are told."""
    remedies: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...]
    """Captions and SVG elements."""
    worst_rows: tuple[ProbeRow, ...]
    slots: tuple[tuple[str, str], ...]
    """Of the optimizer: every slot with its outcome."""


@noun
class ModelView:
    anchor: str
    verdict: ModelVerdict
    artifacts: tuple[ArtifactFacts, ...]
    groups: tuple[GroupView, ...]
    names: dict[str, str]
    """What people call a variable, by its storage path."""
    environment: tuple[tuple[str, str, str], ...]
    """Setting, where it was saved, where it was reloaded."""


def html(verdict: Verdict, comparison: Comparison | None, evidence: Path | None, drifts: Sequence[Drift] = ()) -> str:
    """The page of a verdict.

    Args:
        comparison: the facts that were judged; None where only the verdict is known.
        evidence: the folder that `reload` wrote; None where it is gone: the page then has no pictures.
        drifts: how far the versions are from those of another revision.
    """
    compared = {model.model: model for model in comparison.models} if comparison else {}
    models = tuple(
        _model(number, model, compared.get(model.model), evidence) for number, model in enumerate(worst_first(verdict.models), 1)
    )
    page: str = template("report.html").render(
        verdict=verdict, words=WORDS[verdict.status], models=models, Status=Status, BAD=BAD, drawable=pictures.drawable(),
        policy=tuple(_flat("", to_dict(verdict.policy))), drifts={drift.model: drift for drift in drifts}, DRIFTED=DRIFTED,
        explanations=explanations(),
    )  # fmt: skip
    return page


@lru_cache(maxsize=1)
def explanations() -> dict[str, tuple[str, ...]]:
    """What stands behind a group that does not hold, in paragraphs, by group; the documentation shows the same text."""
    text = (Path(__file__).parent / "templates/findings.md").read_text(encoding="utf-8")
    sections = (section.split("\n\n") for section in text.removeprefix("## ").split("\n## "))
    return {heading: tuple(" ".join(one.split()) for one in paragraphs) for heading, *paragraphs in sections}


@lru_cache(maxsize=2)
def template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("reloadgate"),
        autoescape=name.endswith(".html"),
        finalize=_plain if name.endswith(".html") else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    environment.filters["cell"] = _cell
    return environment.get_template(f"{name}.j2")


def _plain(value: Any) -> Any:
    """What a page says of a value: names and messages are an artifact's, and may hold what is not shown."""
    return one_line(value, LONGEST) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _coded(text: str) -> Any:
    """Text in which what stands between backticks is code."""
    from markupsafe import Markup, escape

    parts = one_line(text, LONGEST).split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(parts))


def _cell(text: str) -> str:
    """Text for Markdown, also in a table, in which what stands between backticks is code."""
    parts = re.split(r"(?<!`)`([^`|]+)`(?!`)", one_line(text, LONGEST))
    return "".join(f"`{part}`" if n % 2 else _escaped(part) for n, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"&(?=#?\w+;)", "&amp;", MARKUP.sub(r"\\\g<0>", text)).replace("<", "&lt;")


def _model(number: int, verdict: ModelVerdict, compared: ModelComparison | None, evidence: Path | None) -> ModelView:
    artifacts = compared.artifacts if compared else ()
    exhibits = {
        facts.artifact: Exhibits(verdict.model, Path(verdict.version), facts.artifact, evidence)
        for facts in artifacts if evidence is not None
    }  # fmt: skip
    saved = next((one.saved for one in exhibits.values() if one.saved), None)
    variables = (*saved.observation.variables, *saved.observation.assets) if saved else ()
    environments = next((one.environments for one in exhibits.values()), (None, None))
    return ModelView(
        anchor=f"m{number}",
        verdict=verdict,
        artifacts=artifacts,
        groups=tuple(_group(group, verdict, artifacts, exhibits, number <= PICTURED) for group in Group),
        names={v.key: v.path for v in variables if v.path != v.key},
        environment=tuple(_environment(*environments)),
    )


def _group(
    group: Group, model: ModelVerdict, artifacts: tuple[ArtifactFacts, ...], exhibits: dict[str, Exhibits], pictured: bool
) -> GroupView:
    found = [finding for finding in model.findings if finding.row.group is group]
    bad = sorted((f for f in found if f.status in BAD), key=lambda f: (BAD.index(f.status), -_size(f)))
    status = str(worst({f.status for f in bad})) if bad else _quiet({f.status for f in found})
    drawn = _pictures(group, bad, model, artifacts, exhibits) if bad and pictured and exhibits and pictures.drawable() else ()
    rows = (exhibits[finding.row.artifact].worst(finding.row) for finding in bad if finding.row.artifact in exhibits)
    slots = tuple((f.row.subject, str(f.row.outcome)) for f in found) if bad and group is Group.OPTIMIZER else ()
    return GroupView(
        group=group,
        status=status,
        said=_said(found, bad),
        bad=tuple(bad[:TOLD]),
        more=len(bad[TOLD:]),
        remedies=tuple(dict.fromkeys(finding.remedy for finding in bad if finding.remedy)),
        pictures=tuple(one for one in drawn if one[1]),
        worst_rows=next((found for found in rows if found), ()),
        slots=slots,
    )


def _quiet(statuses: set[Status]) -> str:
    """What a group without anything bad is: noted outweighs pass, because one may want to read it."""
    return next((str(s) for s in (Status.NOTED, Status.PASS, Status.SKIPPED) if s in statuses), "NONE")


def _said(found: list[Finding], bad: list[Finding]) -> str:
    if not found:
        return "nothing of the kind"
    if bad and all(unlooked(finding.row) for finding in bad):
        return "not looked at"
    counts = {status: sum(finding.status is status for finding in found) for status in Status}
    parts = [
        (counts[Status.FAIL] + counts[Status.ERROR], "failed"),
        (counts[Status.UNVERIFIED], "unchecked"),
        (counts[Status.NOTED], "noted"),
        (counts[Status.PASS], "passed"),
        (counts[Status.SKIPPED], "skipped"),
    ]
    return ", ".join(f"{count} {word}" for count, word in parts if count)


def _size(finding: Finding) -> float:
    """Difference relative to the signal: what is sorted by, largest first."""
    row = finding.row
    return row.difference.max_abs / (row.scale or 1.0) if row.difference else 0.0


# Pictures


def _pictures(
    group: Group, bad: list[Finding], model: ModelVerdict, artifacts: tuple[ArtifactFacts, ...], exhibits: dict[str, Exhibits]
) -> Iterator[tuple[str, str]]:
    """What there is to see of a group that does not hold: its largest difference, the losses, the drift by layer."""
    for facts in artifacts:
        mine = [finding for finding in bad if finding.row.artifact == facts.artifact]
        largest = next((finding for finding in mine if finding.row.difference), None)
        gaps = exhibits[facts.artifact].gaps(largest.row) if largest and facts.artifact in exhibits else None
        if largest and gaps is not None:
            same = np.count_nonzero(gaps == 0)
            caption = f"{largest.row.subject} ({facts.artifact}): {gaps.size - same} elements that differ, {same} the same"
            yield caption, pictures.histogram(gaps, _tolerance(largest), largest.row.noise)
        if mine and group is Group.RESUME:
            yield f"the losses of the resumed steps ({facts.artifact})", pictures.curves(facts.losses)
    if group in (Group.WEIGHTS, Group.RESUME):
        yield "drift by layer", pictures.drift(_by_layer(model), "after the resumed steps")


def _tolerance(finding: Finding) -> float:
    """The limit as an absolute difference."""
    relative = finding.setting.startswith("other_environment")
    return (finding.limit or 0.0) * (finding.row.scale if relative else 1.0)


def _by_layer(model: ModelVerdict) -> dict[str, tuple[float, float]]:
    """Largest relative difference by layer, as reloaded and after the resumed steps; in the order of the model."""
    layers: dict[str, tuple[float, float]] = {}
    for finding in model.findings:
        row = finding.row
        layer, _, rest = one_line(row.subject).partition("/vars/")
        if not rest or row.subject.startswith("file: ") or row.group not in (Group.WEIGHTS, Group.OPTIMIZER, Group.RESUME):
            continue
        before, after = layers.get(layer, (0.0, 0.0))
        size = _size(finding)
        layers[layer] = (before, max(after, size)) if row.group is Group.RESUME else (max(before, size), after)
    return layers


# Tables


def _environment(saved: Environment | None, reloaded: Environment | None) -> Iterator[tuple[str, str, str]]:
    if saved is None:
        return
    for field in dataclasses.fields(Environment):
        now = "unknown" if reloaded is None else str(getattr(reloaded, field.name))
        yield field.name.replace("_", " "), str(getattr(saved, field.name)), now


def _flat(place: str, settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(f"{place}{name}.", value)
        else:
            yield f"{place}{name}", str(value)
