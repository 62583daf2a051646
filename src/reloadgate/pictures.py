"""Pictures of differences as SVG inside a page: no outside address, the page's own font and colours, the same bytes every time.

matplotlib is imported when the first picture is drawn. Colours are drawn as stand-ins and then named as the page's variables, so
that a picture is light or dark with its page.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import numpy as np

from reloadgate.extras import lacking

_COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--line)",
    "#030303": "var(--FAIL)",
    "#040404": "var(--PASS)",
    "#050505": "var(--UNVERIFIED)",
}
INK, LINE, BAD, GOOD, WARN = _COLOURS

DRAWN = 1e-60, 1e60
"""Differences beyond these are drawn at the edge: an axis has no room for all that float64 has words for."""

LAYERS = 24
"""Layers that a picture of drift has room for."""


def drawable() -> bool:
    """Whether matplotlib is installed."""
    return not lacking("pictures")


def histogram(gaps: np.ndarray[Any, Any], tolerance: float, noise: float) -> str:
    """How many elements differ by how much; tolerance and noise floor as lines, where they are not 0.

    Args:
        gaps: absolute differences, finite, any number of them.
    """
    moved = np.clip(gaps[gaps > 0], *DRAWN)
    if not moved.size:
        return ""
    lines = [
        (value, name, colour)
        for value, name, colour in ((tolerance, "tolerance", GOOD), (noise, "noise floor", WARN))
        if value > 0
    ]
    ends = [float(moved.min()), float(moved.max()), *(value for value, _, _ in lines)]
    low, high = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))
    edges = np.logspace(low, max(high, low + 1), 40)
    with _figure(6.4, 2.4) as (figure, axes):
        axes.hist(moved, bins=edges, color=BAD, histtype="stepfilled")
        for value, name, colour in lines:
            axes.axvline(value, color=colour, linestyle="--", label=f"{name} {value:.3g}")
        _logarithmic(axes, "xy")
        axes.set_ylim(bottom=0.5)
        axes.set_xlabel("absolute difference")
        axes.set_ylabel("elements")
        if lines:
            axes.legend(frameon=False, labelcolor=INK)
        return _svg(figure, f"Histogram of {moved.size} differences, the largest {moved.max():.3g}")


def drift(layers: Mapping[str, tuple[float, float]], steps: str) -> str:
    """A bar a layer: its largest difference relative to its largest value, as reloaded and after the resumed steps."""
    worst = sorted(layers, key=lambda name: -max(layers[name]))[:LAYERS]
    shown = [name for name in layers if name in worst][::-1]
    if not any(max(layers[name]) for name in shown):
        return ""
    place = np.arange(len(shown))
    smallest = min(value for name in shown for value in layers[name] if value > 0)
    with _figure(6.4, 0.7 + 0.34 * len(shown)) as (figure, axes):
        for offset, index, name, colour in ((0.2, 0, "as reloaded", BAD), (-0.2, 1, steps, WARN)):
            axes.barh(place + offset, [layers[key][index] for key in shown], height=0.38, color=colour, label=name)
        axes.set_yticks(place, [key if len(key) < 40 else f"…{key[-38:]}" for key in shown])
        _logarithmic(axes, "x")
        axes.set_xlim(left=smallest / 10)
        axes.set_xlabel("largest difference, relative to the largest value")
        axes.legend(frameon=False, labelcolor=INK)
        return _svg(figure, f"Drift by layer: {len(shown)} layers, the largest {max(max(layers[n]) for n in shown):.3g}")


def curves(losses: Mapping[str, Sequence[float | None]]) -> str:
    """Loss by resumed step, uninterrupted and reloaded; a step whose loss was no number has no point."""
    known = {run: [(step, loss) for step, loss in enumerate(values, 1) if loss is not None] for run, values in losses.items()}
    if not any(known.values()):
        return ""
    with _figure(6.4, 2.4) as (figure, axes):
        for run, style, colour in (("uninterrupted", "o-", INK), ("reloaded", "x--", BAD)):
            points = known.get(run, [])
            axes.plot([step for step, _ in points], [loss for _, loss in points], style, color=colour, label=run)
        axes.set_xticks(range(1, max(len(values) for values in losses.values()) + 1))
        axes.set_xlabel("resumed step")
        axes.set_ylabel("loss")
        axes.legend(frameon=False, labelcolor=INK)
        return _svg(figure, "Loss of the resumed steps, uninterrupted and reloaded")


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Any, Any]]:
    """A figure of so many inches and its axes, drawn without a display."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    settings |= {"svg.hashsalt": "reloadgate", "svg.fonttype": "none", "axes.edgecolor": LINE, "backend": "svg"}
    with mpl.rc_context({**mpl.rcParamsDefault, **settings, "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        yield figure, axes


def _logarithmic(axes: Any, which: str) -> None:
    """Logarithmic axes with labels such as 1e-06: setting powers as formulas takes seconds."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    for name in which:
        axes.set(**{f"{name}scale": "log"})
        axis = getattr(axes, f"{name}axis")
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def _svg(figure: Any, label: str) -> str:
    """The figure as an `<svg>` element: no prolog, no metadata, no ids but those referred to, the page's colours and font."""
    stream = StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", text, flags=re.DOTALL)
    referred = set(re.findall(r"(?:url\(#|xlink:href=\"#)([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in referred else "", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href", "href")
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    size = re.search(r'viewBox="0 0 ([\d.]+)', text)
    opening = f'<svg role="img" aria-label="{label}" style="width: {float(size[1]) if size else 460:.0f}pt"'
    return re.sub(r'<svg(?: width="[^"]*"| height="[^"]*")*', opening, text, count=1)
