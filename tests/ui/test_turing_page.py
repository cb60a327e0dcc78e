"""The Turing test's page in a real browser: six rounds by key, click and touch, a reload, the end."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

import uvicorn
from playwright import sync_api

from gan_colorize.ui import turing
from gan_colorize.ui.serve import address_of, listen
from gan_colorize.ui.turing import create_turing_app
from gan_colorize.ui.turing_results import Settings

SECONDS = 0.1

# Notes what the stage shows, when it changes, and whether it was decoded by then.
WATCH = """
window.seen = [];
new MutationObserver((changes) => {
  for (const {target} of changes) {
    if (target.tagName !== "IMG") continue;
    const shown = target.classList.contains("shown");
    const together = document.querySelectorAll("#stage img.shown").length;
    const middle = ({x, y, width, height}) => [x + width / 2, y + height / 2];
    if (!shown) continue;
    window.seen.push([target.src, target.complete && target.naturalWidth > 0, together]);
    window.middles = [middle(target.getBoundingClientRect()), ...(window.middles || [])];
  }
}).observe(document, {subtree: true, attributes: true, attributeFilter: ["class"]});
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results.json"


@pytest.fixture
def address(tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with ten pairs; six rounds after two of practice, and quick ones."""
    monkeypatch.setattr(turing, "_BEFORE_MS", 60)
    monkeypatch.setattr(turing, "_BETWEEN_MS", 40)
    rng = np.random.default_rng(0)
    for index in range(10):
        coarse = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir(exist_ok=True)
            picture = Image.fromarray(coarse if folder == "a" else coarse[..., ::-1].copy())
            picture.resize((192, 128), Image.Resampling.BICUBIC).save(tmp_path / folder / f"{index}.png")
    listening = listen(0)
    settings = Settings(seconds=SECONDS, rounds=6, practice=2)
    app, _ = create_turing_app(tmp_path / "a", tmp_path / "b", results, listening.getsockname()[1], settings)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield address_of(listening)
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture
def problems() -> list[str]:
    """Errors of scripts and refused files, which fail the test; it takes out those that it means to cause."""
    return []


@pytest.fixture
def page(chromium, address: str, problems: list[str]) -> Iterator[sync_api.Page]:
    """The start page on a phone."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    context.add_init_script(WATCH)
    opened = context.new_page()
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    opened.goto(address)
    yield opened
    context.close()
    assert problems == []


def wait_for(page, name: str) -> None:
    page.locator(f"#{name}").wait_for(state="visible", timeout=20_000)


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_six_rounds(page, results: Path) -> None:
    # not before the server has answered
    page.get_by_role("button", name="Start", exact=True, disabled=False).wait_for()
    assert fits(page)
    page.keyboard.press("Enter")
    for number in range(2):
        wait_for(page, "question")
        assert page.locator("#count").inner_text() == f"Practice {number + 1} of 2"
        page.keyboard.press("1")
        wait_for(page, "feedback")
        right = json.loads(results.read_text())["trials"][number]["correct"]
        assert page.locator("#verdict").inner_text().startswith("Right:" if right else "No:")
        captions = page.locator("#both figcaption").all_inner_texts()
        which = json.loads(results.read_text())["trials"][number]["coloured"]
        assert [caption.endswith("the computer's") for caption in captions] == [
            which == "first",
            which == "second",
        ]
        assert fits(page)
        page.keyboard.press("Enter")
    wait_for(page, "ready")
    page.get_by_role("button", name="Continue").click()
    answers = []
    for number in range(6):
        wait_for(page, "question")
        assert page.locator("#count").inner_text() == f"Round {number + 1} of 6"
        assert fits(page)
        if number == 0:
            page.get_by_role("button", name="The second").tap()
        elif number == 1:
            page.get_by_role("button", name="The first").click()
        else:
            page.keyboard.press("ArrowRight" if number % 2 else "ArrowLeft")
        answers.append("second" if number == 0 or (number % 2 and number > 1) else "first")
        page.locator("#question").wait_for(state="hidden")
    wait_for(page, "end")
    content = json.loads(results.read_text())
    trials = content["trials"][2:]
    assert [trial["called_coloured"] for trial in trials] == answers
    # A picture leaves the screen with the frame nearest to its time, never a whole one before.
    shown = [milliseconds for trial in content["trials"] for milliseconds in trial["shown_ms"]]
    assert len(shown) == 16 and min(shown) >= 1000 * SECONDS - 25
    assert all(trial["response_ms"] >= 0 and trial["looks"] == 1 for trial in trials)
    summary = content["summary"]
    if summary["trials"]:  # a machine under load may show everything too long
        assert f"{summary['fooled']} of {summary['trials']} rounds" in page.locator("#own").inner_text()
    # Every picture once, decoded, and by itself.
    seen = page.evaluate("window.seen")
    assert len({address for address, _, _ in seen}) == len(seen) == 16
    assert all(decoded and together == 1 for _, decoded, together in seen)


def test_a_reload_goes_on_and_a_second_person_begins_anew(page, results: Path) -> None:
    page.get_by_role("button", name="Start", exact=True).click()
    wait_for(page, "question")
    page.keyboard.press("2")
    wait_for(page, "feedback")
    page.reload()
    wait_for(page, "resume")
    assert page.locator("#resume").inner_text() == "You have been here before: 7 rounds are left."
    page.get_by_role("button", name="Continue").click()
    wait_for(page, "question")
    assert page.locator("#count").inner_text() == "Practice 2 of 2"
    page.reload()
    page.get_by_role("button", name="Start as someone else").click()
    wait_for(page, "question")
    assert page.locator("#count").inner_text() == "Practice 1 of 2"
    assert json.loads(results.read_text())["participants"]["started"] == 2


def test_a_server_that_is_away_costs_no_answer(page, results: Path, problems: list[str]) -> None:
    page.get_by_role("button", name="Start", exact=True).click()
    wait_for(page, "question")
    page.route("**/api/turing/answer", lambda route: route.fulfill(status=503, json={"error": "disk full"}))
    with page.expect_response("**/api/turing/answer"):
        page.keyboard.press("2")
    wait_for(page, "trouble")
    assert page.locator("#problem").inner_text() == "disk full"
    assert json.loads(results.read_text())["trials"] == []
    page.unroute("**/api/turing/answer")
    page.get_by_role("button", name="Try again").click()
    wait_for(page, "feedback")
    assert [trial["called_coloured"] for trial in json.loads(results.read_text())["trials"]] == ["second"]
    assert "503" in problems.pop()


def test_the_pictures_stay_in_their_place(page) -> None:
    """The question must not move them: where one looks is where the next one comes."""
    page.get_by_role("button", name="Start", exact=True).click()
    wait_for(page, "question")
    stage = page.locator("#stage").bounding_box()
    middle = [stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2]
    assert page.evaluate("window.middles") == [pytest.approx(middle, abs=0.5)] * 2
    page.keyboard.press("1")
    wait_for(page, "feedback")
    box = page.get_by_role("button", name="Continue").bounding_box()
    assert box["y"] + box["height"] <= 740  # both pictures and the button, without scrolling
