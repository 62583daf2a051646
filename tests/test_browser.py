"""The page in a browser, headless: drawn, asking for nothing, the failing model first, fit for a phone, in both themes."""

import json
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from builders import build, comparison
from reloadgate import page
from reloadgate.judge import judge
from reloadgate.policy import Policy
from test_page import OTHER

pytestmark = pytest.mark.pipeline

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
PHONE, DESK = 390, 1280
"""CSS pixels."""

LISTENING = """<script>
const asked = [];
addEventListener("securitypolicyviolation", event => asked.push(event.blockedURI));
</script>"""
"""Notes what the page wants from anywhere: its own policy forbids all of it, and says so."""

TELLING = """<script>
const shown = [...document.querySelectorAll("h2, h3")].map(one => [one.getBoundingClientRect().top, one.textContent.trim()]);
addEventListener("load", () => setTimeout(() => parent.postMessage(JSON.stringify({
  asked, wide: document.documentElement.scrollWidth, window: innerWidth,
  headings: shown.sort((a, b) => a[0] - b[0]).map(one => one[1]),
  drawn: [...document.querySelectorAll("svg")].map(one => one.getBoundingClientRect().width),
  paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
}), "*")));
</script></body>"""
"""Tells what the browser made of the page."""

FRAME = """<script>addEventListener("message", event => { document.title = event.data; });</script>
<iframe src="copy.html" style="border: 0; width: WIDTHpx; height: 900px"></iframe>"""
"""A window as narrow as a phone's: that of a headless browser is never below 500 pixels."""


class _Title(HTMLParser):
    inside, said = False, ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = tag == "title" and not self.said

    def handle_data(self, data: str) -> None:
        self.said += data if self.inside else ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a model that fails, pictures and all, and one that passes and comes first by name."""
    built = build(tmp_path_factory.mktemp("bad"), changed=OTHER)
    compared = built.compare()
    compared = replace(compared, models=(*comparison(model="a good one").models, *compared.models))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.html(judge(compared, Policy()), compared, built.evidence))
    return path


def opened(path: Path, folder: Path, width: int, dark: bool) -> dict[str, Any]:
    """What the browser says of a copy of the page."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no browser: install Debian's `chromium`")
    text, forbidden = path.read_text(), "default-src 'none';"
    assert text.count(forbidden) == 1
    text = text.replace(forbidden, f"{forbidden} script-src 'unsafe-inline';")
    (folder / "copy.html").write_text(text.replace("<head>", f"<head>{LISTENING}").replace("</body>", TELLING))
    frame = folder / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)))
    theme = ("--blink-settings=preferredColorScheme=0",) if dark else ("--blink-settings=preferredColorScheme=1",)
    done = subprocess.run(
        [browser, *QUIET, *theme, "--window-size=1400,900", f"--user-data-dir={folder / 'profile'}",
         "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    title = _Title()
    title.feed(done.stdout)
    found: dict[str, Any] = json.loads(title.said)
    return found


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_drawn_asks_for_nothing_and_shows_the_failing_model_first(
    failing: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    seen = opened(failing, tmp_path, width, dark)
    assert seen["asked"] == [], "the page asks nobody for anything"
    assert seen["window"] == width
    assert seen["wide"] <= width, "nothing is cut off, and nothing has to be scrolled aside"
    assert seen["drawn"]
    assert all(size > 0 for size in seen["drawn"]), "every picture is drawn"
    models = [heading for heading in seen["headings"] if "digits" in heading or "a good one" in heading]
    assert "digits" in models[0]
    assert any("a good one" in heading for heading in models)
    paper, ink = (sum(map(int, seen[name].removeprefix("rgb(").rstrip(")").split(",")[:3])) for name in ("paper", "ink"))
    assert (paper < ink) is dark, "light ink on dark paper where that is wanted, and the other way round"
