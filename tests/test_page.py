"""The page that people read: failures first and in full, pictures of what differs, and nothing outside the file."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import DECODER, ENCODER, LARGE, MOMENTUM, Built, build, comparison, row, values
from reloadgate import page, pictures
from reloadgate.comparison import Outcome
from reloadgate.evidence import Group
from reloadgate.exhibits import Exhibits
from reloadgate.judge import judge
from reloadgate.policy import Policy
from reloadgate.verdict import Status

USUAL = values()
OTHER: dict[str, Any] = {
    f"before/{ENCODER}": USUAL[f"before/{ENCODER}"] + np.float32(1e-3) * np.arange(12, dtype=np.float32).reshape(4, 3),
    f"after/{DECODER}": USUAL[f"after/{DECODER}"] * np.float32(1.01),
    f"before/{MOMENTUM}": np.zeros((4, 3), np.float32),
    "call/output": USUAL["call/output"] + np.eye(5, 3, k=-2, dtype=np.float32) * np.float32([1.0, 0.5, 0.25]),
    "log/loss": USUAL["log/loss"] + 0.5,
}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A version whose weights, slots, predictions and resumed steps are others after the reload."""
    return build(tmp_path_factory.mktemp("bad"), changed=OTHER)


@pytest.fixture(scope="module")
def shown(bad: Built) -> str:
    """The page of it: pictures take their time, so most tests read the same one."""
    return html(bad)


def html(built: Built, policy: Policy | None = None) -> str:
    compared = built.compare()
    return page.html(judge(compared, policy or Policy()), compared, built.evidence)


def text_of(markup: str) -> str:
    """What a reader sees, on one line."""
    seen: list[str] = []

    class Reader(HTMLParser):
        quiet = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.quiet += tag == "style"
            seen.append("" if tag in ("span", "code") else " ")

        def handle_endtag(self, tag: str) -> None:
            self.quiet -= tag == "style"

        def handle_data(self, data: str) -> None:
            if not self.quiet:
                seen.append(data)

    Reader().feed(markup)
    return " ".join("".join(seen).split())


# What it shows


def test_the_verdict_comes_first_and_the_failing_model_before_the_others() -> None:
    good, wrong = comparison(model="a good one"), comparison(row(Group.LOAD, Outcome.BROKEN, model="z"), model="z bad")
    verdict = judge(replace(good, models=(*good.models, *wrong.models)), Policy())
    text = text_of(page.html(verdict, None, None))
    text = text[text.index("to the models") :]
    places = [text.index(part) for part in ("✗ FAIL", "z bad: ✗ FAIL", "a good one: ✓ PASS")]
    assert places == sorted(places)
    assert text.index("something was checked and does not hold") < places[1]


def test_a_model_has_a_row_of_checks_worded_by_group(shown: str) -> None:
    (checks,) = re.findall(r'<ul class="checks" aria-label="Checks of digits">(.*?)</ul>', shown, re.DOTALL)
    said = [text_of(item) for item in re.findall(r"<li.*?</li>", checks, re.DOTALL)]
    assert len(said) == len(Group)
    assert "✗ weights 1 failed, 4 passed" in said
    assert "✓ inspect 1 passed" in said
    for link in re.findall(r'href="#([^"]+)"', shown):
        assert f'id="{link}"' in shown, "every link leads somewhere"


def test_a_failure_says_what_was_expected_and_seen_how_large_it_is_and_what_to_do(bad: Built) -> None:
    compared = bad.compare()
    verdict = judge(compared, Policy())
    text = text_of(page.html(verdict, compared, bad.evidence))
    for finding in verdict.of(Status.FAIL):
        assert finding.remedy.replace("`", "") in text
    assert "how large 0.011 at most" in text
    assert "tolerance 0 (tolerances.weights); the smallest that would pass is 0.01" in text
    assert f"digits/{ENCODER}" in text, "the name that people know it by"


def test_every_check_is_there_passes_and_skips_too(bad: Built, shown: str) -> None:
    verdict = judge(bad.compare(), Policy())
    table = shown.split("every check of digits")[1].split("</table>")[0]
    assert table.count("<tr>") == len(verdict.findings) + 1


def test_the_worst_rows_of_the_probe_come_with_their_inputs(bad: Built, shown: str) -> None:
    compared = bad.compare()
    (found,) = [one for one in compared.rows if (one.group, one.subject) == (Group.PREDICTIONS, "call: output")]
    exhibits = Exhibits("digits", bad.subject.directory, "model.keras", bad.evidence)
    rows = exhibits.worst(found)
    assert [one.number for one in rows] == [2, 3, 4]
    assert rows[0].difference == pytest.approx(1.0)
    assert rows[0].inputs == {"x": "[0.42105263 0.47368422 0.5263158 0.57894737]", "y": "2"}
    assert "rows of the probe that differ most" in shown


def test_the_slots_of_an_optimizer_that_lost_some_are_named_one_by_one(shown: str) -> None:
    (slots,) = re.findall(r'aria-label="Slots of the optimizer">(.*?)</ul>', shown, re.DOTALL)
    assert [text_of(one) for one in re.findall(r"<li.*?</li>", slots, re.DOTALL)] == [
        "same digits/optimizer/vars/0",
        "differs digits/optimizer/vars/2",
    ]


def test_the_environments_and_digests_stand_below(bad: Built, shown: str) -> None:
    text = text_of(shown)
    assert "intra op threads 2 2" in text
    for digest in bad.reloaded.files:
        assert digest.sha256 in text
    assert str(bad.reloaded.saved_sha256) in text
    assert "tolerances.resume 0" in text


# Behind the rows


def test_what_is_shown_of_a_row_is_what_was_compared(bad: Built) -> None:
    exhibits = Exhibits("digits", bad.subject.directory, "model.keras", bad.evidence)
    differing = [one for one in bad.compare().rows if one.outcome is Outcome.DIFFERS]
    assert {one.group for one in differing} == {Group.WEIGHTS, Group.OPTIMIZER, Group.PREDICTIONS, Group.RESUME}
    for one in differing:
        gaps = exhibits.gaps(one)
        assert gaps is not None, one.subject
        assert one.difference is not None
        assert gaps.max() == one.difference.max_abs, one.subject


def test_nothing_is_shown_of_what_was_kept_as_a_sketch(tmp_path: Path) -> None:
    built = build(tmp_path, changed={f"before/{LARGE}": USUAL[f"before/{LARGE}"] * 2})
    exhibits = Exhibits("digits", built.subject.directory, "model.keras", built.evidence)
    (found,) = [one for one in built.compare().rows if one.outcome is Outcome.DIFFERS]
    assert exhibits.gaps(found) is None
    assert "about" in text_of(html(built))


@pytest.mark.parametrize("damaged", ["models/digits/1.0.0/evidence/arrays.npz", "models/digits/1.0.0/evidence/evidence.json"])
def test_evidence_that_cannot_be_read_leaves_a_page_without_pictures(tmp_path: Path, damaged: str) -> None:
    built = build(tmp_path, changed=OTHER)
    compared = built.compare()
    (tmp_path / damaged).write_bytes(b"garbage")
    markup = page.html(judge(compared, Policy()), compared, built.evidence)
    assert "✗ FAIL" in markup
    assert "rows of the probe" not in markup


# Pictures


def captions(markup: str) -> list[str]:
    return [text_of(found) for found in re.findall(r"<figcaption.*?</figcaption>", markup)]


def test_there_are_pictures_of_what_differs_and_none_where_all_is_well(shown: str, tmp_path: Path) -> None:
    assert captions(shown) == [
        f"{ENCODER} (model.keras): 11 elements that differ, 1 the same",
        "drift by layer",
        f"{MOMENTUM} (model.keras): 12 elements that differ, 0 the same",
        "call: output (model.keras): 3 elements that differ, 12 the same",
        "loss per step (model.keras): 3 elements that differ, 0 the same",
        "the losses of the resumed steps (model.keras)",
        "drift by layer",
    ]
    assert "<svg" not in html(build(tmp_path))


def test_a_page_is_the_same_bytes_every_time(bad: Built, shown: str) -> None:
    assert html(bad) == shown


def test_tolerance_and_noise_floor_are_lines_in_the_histogram() -> None:
    gaps = np.array([0.0, 1e-6, 2e-6])
    assert "tolerance 1e-05" in pictures.histogram(gaps, 1e-5, 0.0)
    assert "noise floor 1e-07" in pictures.histogram(gaps, 0.0, 1e-7)
    assert "tolerance" not in pictures.histogram(gaps, 0.0, 0.0)


def test_a_tolerance_relative_to_the_signal_is_drawn_where_it_lies(tmp_path: Path) -> None:
    built = build(tmp_path, changed=OTHER, environment=replace(build(tmp_path / "same").saved.environment, cpus=64))
    found = judge(built.compare(), Policy()).of(Status.FAIL)
    (one,) = [f for f in found if f.row.subject == "call: output"]
    assert f"tolerance {1e-5 * one.row.scale:.3g}" in text_of(html(built))
    assert "cpus: 2 → 64" in text_of(html(built))


@pytest.mark.parametrize("gaps", [[], [0.0], [5e-324], [1e300], [1e-300, 1e300]])
def test_a_histogram_can_be_drawn_of_anything(gaps: list[float]) -> None:
    assert ("<svg" in pictures.histogram(np.array(gaps), 1e-5, 0.0)) == any(gaps)


def test_a_loss_that_is_no_number_has_no_point() -> None:
    assert "<svg" in pictures.curves({"uninterrupted": (0.5, 0.25), "reloaded": (0.5, None)})
    assert pictures.curves({"uninterrupted": (None,), "reloaded": ()}) == ""


def test_of_many_failing_models_the_first_have_pictures(bad: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PICTURED", 0)
    assert captions(html(bad)) == []


def test_without_matplotlib_the_page_says_how_to_get_pictures(bad: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "drawable", lambda: False)
    markup = html(bad)
    assert "<svg" not in markup
    assert 'pip install "reloadgate[pictures]"' in text_of(markup).replace("&quot;", '"')


# Nothing outside


def test_the_page_asks_for_nothing_outside_itself(shown: str) -> None:
    assert "default-src 'none'" in shown
    assert not re.findall(r"https?:|(?<!:)//|@import|<script|<link|<img|<iframe|\ssrc=", shown)
    assert set(re.findall(r'href="(.)', shown)) == {"#"}
    assert set(re.findall(r"url\((.)", shown)) <= {"#"}


def test_no_id_is_there_twice_but_those_of_equal_shapes_in_pictures(shown: str) -> None:
    outside = re.sub(r"<svg.*?</svg>", "", shown, flags=re.DOTALL)
    ids = re.findall(r' id="([^"]+)"', outside)
    assert len(ids) == len(set(ids))


def test_pictures_take_their_colours_and_font_from_the_page(shown: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", shown, re.DOTALL))
    assert "var(--ink)" in drawn
    assert not re.findall(r"(?:fill|stroke): #|font-family", drawn)


def test_markup_in_a_name_is_text_in_a_picture_too() -> None:
    assert "<b>" not in pictures.drift({"<b>&": (1e-3, 1e-2)}, "after")


def test_what_does_not_hold_is_explained_on_the_page(shown: str) -> None:
    text = text_of(shown)
    assert "what this means, and what mends it" in text
    assert explanations_of(Group.OPTIMIZER)[0] in text
    assert explanations_of(Group.INSPECT)[0] not in text, "what holds needs no explanation"


def explanations_of(group: Group) -> tuple[str, ...]:
    return page.explanations()[str(group)]
