"""The page in a browser, headless: drawn, asking for nothing, the failing model first, fit for a phone, in both themes."""

import json
import re
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

ASKING = """<script>
const shown = [...document.querySelectorAll("h2, h3")].map(one => [one.getBoundingClientRect().top, one.textContent.trim()]);
document.title = JSON.stringify({
  asked: performance.getEntriesByType("resource").map(one => one.name),
  wide: document.documentElement.scrollWidth, window: innerWidth,
  headings: shown.sort((a, b) => a[0] - b[0]).map(one => one[1]),
  drawn: [...document.querySelectorAll("svg")].map(one => one.getBoundingClientRect().width),
  paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
});
</script></body>"""
"""Tells in the title what the browser made of the page."""


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
    """What the browser says of a copy of the page; and that it asked nobody for anything."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no browser: install Debian's `chromium`")
    copy, log = folder / "copy.html", folder / "net.json"
    text, policies = re.subn(r"<meta http-equiv=.Content-Security-Policy.*?>", "", path.read_text())  # it forbids to ask at all
    assert policies == 1
    copy.write_text(text.replace("</body>", ASKING))
    theme = ("--blink-settings=preferredColorScheme=0",) if dark else ("--blink-settings=preferredColorScheme=1",)
    done = subprocess.run(
        [browser, *QUIET, *theme, f"--window-size={width},900", f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
         "--virtual-time-budget=5000", "--dump-dom", copy.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    title = _Title()
    title.feed(done.stdout)
    addresses = [event.get("params", {}).get("url", "") for event in json.loads(log.read_text())["events"]]
    assert not [url for url in addresses if url.startswith(("http", "ws")) and "google" not in url], (
        "the page asked for something"
    )
    found: dict[str, Any] = json.loads(title.said)
    return found


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_drawn_asks_for_nothing_and_shows_the_failing_model_first(
    failing: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    seen = opened(failing, tmp_path, width, dark)
    assert seen["asked"] == []
    assert seen["wide"] <= seen["window"], "nothing is cut off, and nothing has to be scrolled aside"
    assert seen["drawn"]
    assert all(size > 0 for size in seen["drawn"]), "every picture is drawn"
    models = [heading for heading in seen["headings"] if "digits" in heading or "a good one" in heading]
    assert "digits" in models[0]
    assert any("a good one" in heading for heading in models)
    paper, ink = (sum(map(int, seen[name].removeprefix("rgb(").rstrip(")").split(",")[:3])) for name in ("paper", "ink"))
    assert (paper < ink) is dark, "light ink on dark paper where that is wanted, and the other way round"
