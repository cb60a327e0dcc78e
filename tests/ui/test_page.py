"""The editor in a real browser, with the weights that ship: from a photograph to an exported file."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the editor's server needs fastapi: the extra ui")
pytest.importorskip("uvicorn", reason="the editor's server needs uvicorn: the extra ui")
pytest.importorskip("playwright", reason="a browser is driven by playwright: the extra dev")

GREY = Path(__file__).parents[2] / "gan_colorize" / "examples" / "grey"


@pytest.fixture(scope="module")
def address(chromium) -> Iterator[str]:
    """A server in a process of its own, on the example photographs."""
    command = [sys.executable, "-m", "gan_colorize", "ui", str(GREY), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        line = server.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), line
        yield line.split()[0]
        server.terminate()


@pytest.fixture
def editor(address, drive):
    """The page, with the smallest example open: 600 x 400, in the middle of the stage."""
    driver = drive(accept_downloads=True).go(address)
    driver.open_photo(GREY / "coffee.jpg")
    return driver


def colourfulness(rgb: np.ndarray) -> float:
    """Mean distance of a pixel's channels from each other, in 8-bit levels."""
    return float(np.ptp(rgb.astype(int), axis=2).mean())


def test_from_photograph_to_export(editor, tmp_path):
    page = editor.page
    editor.shot("desktop-1-opened")
    editor.click(0.5, 0.5)
    editor.said("Now choose a colour")
    editor.hints(0)
    page.locator("#suggestions button").first.wait_for()
    shares = [
        int(text.split()[0].strip("<")) for text in page.locator("#suggestions button").all_text_contents()
    ]
    assert 4 <= len(shares) <= 9  # nine where so many colours are possible; this place is nearly white
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=5)  # rounded numbers

    editor.shot("desktop-2-suggestions")
    page.click("#suggestions button:nth-child(2)")
    editor.hints(1)
    editor.click(0.6, 0.4)  # paints the same colour
    editor.hints(2)
    editor.drag((0.6, 0.4), (0.4, 0.6))
    editor.settle()
    _, moved = editor.project(tmp_path)
    width, height = moved["photo"]["width"], moved["photo"]["height"]
    first, second = moved["hints"]
    assert (first["x"], first["y"]) == (pytest.approx(width / 2, abs=1), pytest.approx(height / 2, abs=1))
    assert first["ab"] == second["ab"]
    # mirrored at the middle: from (0.6, 0.4) to (0.4, 0.6) of the stage
    assert second["x"] < first["x"]
    assert second["y"] > first["y"]

    page.keyboard.press("Control+z")
    _, undone = editor.project(tmp_path)
    assert undone["hints"][0] == first
    assert undone["hints"][1]["x"] == pytest.approx(width - second["x"], abs=1.5)
    assert undone["hints"][1]["y"] == pytest.approx(height - second["y"], abs=1.5)
    page.keyboard.press("Control+Shift+Z")
    assert editor.project(tmp_path)[1] == moved
    editor.shot("desktop-3-hints")

    page.click("#tab-palette")
    page.fill("#words", "deep sea")
    page.click("#words-form button")
    page.locator("#palettes button").nth(2).click()
    editor.settle()
    editor.shot("desktop-3-palette")
    file, wished = editor.project(tmp_path)
    assert wished == moved | {"palette": wished["palette"], "text": "deep sea"}
    assert len(wished["palette"]) == 5

    page.click("#export")
    editor.shot("desktop-4-export")
    exported = editor.download(lambda: page.click("#export-start"), tmp_path)
    editor.said("Exported as")
    command = [
        sys.executable,
        "-m",
        "gan_colorize",
        "colorize",
        str(GREY / "coffee.jpg"),
        "--hints",
        str(file),
    ]
    subprocess.run([*command, "--output", str(tmp_path / "out"), "--format", "png"], check=True)
    ours, theirs = np.asarray(Image.open(exported)), np.asarray(Image.open(tmp_path / "out" / "coffee.png"))
    assert exported.suffix == ".png"
    assert ours.shape == (height, width, 3)
    assert colourfulness(ours) > 5
    np.testing.assert_array_equal(ours, theirs)


def test_a_hint_colours_its_place_and_not_the_picture(editor):
    page = editor.page
    there, elsewhere = (0.215, 0.5), (0.8, 0.85)  # the table, left of the cup and before it
    before, apart = editor.pixel(*there), editor.pixel(*elsewhere)
    editor.click(*there)
    page.fill("#hex", "#3040e0")
    page.keyboard.press("Enter")
    editor.hints(1)
    page.click("#marks")  # the mark covers the place
    editor.settle()
    # bluer; the picture comes when it is made, which on a busy machine is a while after it was asked for
    editor.see(there, lambda rgb: rgb[2] - rgb[0] > before[2] - before[0] + 40)
    np.testing.assert_allclose(editor.pixel(*elsewhere), apart, atol=12)
    page.focus("#canvas")
    page.keyboard.down("o")
    editor.see(there, lambda rgb: np.ptp(rgb) <= 2)  # the original is grey
    page.keyboard.up("o")


def test_saved_project_is_reopened(editor, tmp_path):
    page = editor.page
    editor.click(0.5, 0.5)
    page.locator("#suggestions button").first.click()
    editor.hints(1)
    file, saved = editor.project(tmp_path)
    assert file.name == "coffee.hints.json"
    assert saved["format"] == "gan_colorize-project"
    page.keyboard.press("Delete")
    editor.hints(0)

    page.reload()
    page.locator("body[data-ready]").wait_for()
    editor.said("as you left it")
    editor.hints(0)
    page.keyboard.press("Control+z")  # of what was done before the reload
    editor.hints(1)
    page.keyboard.press("Control+y")
    editor.hints(0)
    editor.open(file)
    editor.hints(1)
    assert editor.project(tmp_path)[1] == saved


def test_hints_written_by_hand_are_opened(editor, tmp_path):
    """A file without format and version, which ``colorize --hints`` reads as well."""
    hint = {"x": 31.5, "y": 22, "radius": 12, "color": "#3a7d44"}
    editor.drop("coffee.hints.json", json.dumps({"hints": [hint]}))
    editor.hints(1)
    assert editor.project(tmp_path)[1]["hints"] == [hint]


def test_folder_of_the_server(address, drive):
    driver = drive().go(address)
    driver.page.locator("#folder-list button").first.wait_for()
    names = driver.page.locator("#folder-list button span").all_text_contents()
    assert names == sorted(file.name for file in GREY.glob("*.jpg"))
    driver.until("[...document.querySelectorAll('#folder-list img')].every((i) => i.naturalWidth)")
    driver.shot("desktop-0-start")
    driver.page.click("#folder-list button:has-text('astronaut')")
    driver.settle()
    assert driver.page.locator("#title").text_content() == "astronaut.jpg"


def test_what_is_no_photograph_and_no_project(editor, tmp_path):
    editor.click(0.5, 0.5)
    editor.page.locator("#suggestions button").first.click()
    editor.hints(1)
    before = editor.project(tmp_path)[1]
    broken = {
        "notes.txt": "no picture at all",
        "cut.hints.json": '{"format": "gan_colorize-project", "version": 1, "hints": [',
        "other.json": '{"hello": 1}',
        "later.json": '{"format": "gan_colorize-project", "version": 9}',
        "key.json": '{"format": "gan_colorize-project", "version": 1, "hintz": []}',
        "shape.json": '{"format": "gan_colorize-project", "version": 1, "photo": {"width": 9, "height": 9}}',
    }
    expected = {
        "notes.txt": "notes.txt",
        "cut.hints.json": "damaged",
        "other.json": "no project",
        "later.json": "version 9",
        "key.json": "hintz",
        "shape.json": "another shape",
    }
    for name, text in broken.items():
        editor.drop(name, text)
        editor.page.locator("#status.error", has_text=expected[name]).wait_for()
        editor.hints(1)
    assert editor.project(tmp_path)[1] == before
    editor.shot("desktop-5-error")
    # the server's refusal of the text file is in the browser's console as well
    assert [problem for problem in editor.problems if "415" not in problem and "400" not in problem] == []
    editor.problems.clear()


def fingers(driver):
    """A function: "touchStart", "touchMove" or "touchEnd", and where the fingers are on the stage."""
    session = driver.page.context.new_cdp_session(driver.page)

    def touch(kind, *places):
        points = [dict(zip("xy", driver.at(*place), strict=True)) for place in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return touch


def test_on_a_phone(address, drive, tmp_path):
    driver = drive(viewport={"width": 375, "height": 800}, has_touch=True, device_scale_factor=2).go(address)
    page = driver.page
    driver.shot("phone-0-start")
    page.locator("#folder-list button", has_text="coffee").tap()
    driver.settle()
    page.touchscreen.tap(*driver.at(0.5, 0.5))
    page.locator("#suggestions button").nth(1).tap()
    driver.hints(1)
    driver.settle()
    driver.shot("phone-1-hint")
    for tab in ("look", "palette", "hints"):
        page.tap(f"#tab-{tab}")
        for control in page.locator(f"#{tab} button:visible, #{tab} input:visible").all():
            control.scroll_into_view_if_needed()
            box = control.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 375, (tab, control.inner_html())
            assert box["y"] >= 0 and box["y"] + box["height"] <= 801, (tab, control.inner_html())
        driver.shot(f"phone-2-{tab}")
    for control in page.locator("header button:visible, #bar button:visible").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 375, control.get_attribute("id")
        assert min(box["width"], box["height"]) >= 44, control.get_attribute("id")
    assert page.evaluate("document.documentElement.scrollWidth") == 375

    stage = page.locator("#canvas").bounding_box()["height"]
    page.tap("#tab-hints")  # the open one: it folds away
    driver.until(f"document.getElementById('canvas').clientHeight > {stage} + 200")
    zoom = page.locator("#zoom").text_content()
    touch = fingers(driver)
    touch("touchStart", (0.4, 0.3), (0.6, 0.3))
    touch("touchMove", (0.3, 0.3), (0.7, 0.3))
    touch("touchEnd")
    assert int(page.locator("#zoom").text_content()[:-2]) == pytest.approx(2 * int(zoom[:-2]), rel=0.02)
    driver.hints(1)
    page.tap("#zoom-fit")
    touch("touchStart", (0.5, 0.5))
    driver.hints(0)  # a long press deletes
    touch("touchEnd")
    page.tap("#undo")
    driver.hints(1)
