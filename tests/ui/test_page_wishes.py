"""The editor's controls in a real browser, over a tiny network that takes every kind of wish."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

pytest.importorskip("fastapi", reason="the editor's server needs fastapi: the extra ui")
pytest.importorskip("playwright", reason="a browser is driven by playwright: the extra dev")


@pytest.fixture
def editor(tiny_server, drive):
    """The page, with a photograph of 70 x 50 from the server's folder."""
    driver = drive(accept_downloads=True).go(tiny_server.address)
    driver.page.click("#folder-list button:has-text('attic')")
    driver.settle()
    return driver


def run_module(page, name, body):
    """What JavaScript makes with a module of the page as ``m``."""
    return page.evaluate(f"import('/static/{name}').then((m) => {body})")


def test_lab_is_that_of_scikit_image(editor):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (40, 3))
    rgb[:4] = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [1, 2, 3]]
    lab = rgb2lab(rgb[None] / 255)[0]
    ours = run_module(editor.page, "lab.js", f"{rgb.tolist()}.map((rgb) => m.rgbToLab(rgb))")
    np.testing.assert_allclose(ours, lab, atol=0.02)
    back = run_module(editor.page, "lab.js", f"{lab.tolist()}.map((lab) => m.labToRgb(...lab))")
    np.testing.assert_allclose(back, lab2rgb(lab[None])[0] * 255, atol=0.1)
    # the red primary in Lab, and a green of that lightness that no screen can show
    assert run_module(editor.page, "lab.js", "m.isPossible(53.24, 80.09, 67.2)") is True
    assert run_module(editor.page, "lab.js", "m.isPossible(53.24, -90, 67.2)") is False
    a, b = run_module(editor.page, "lab.js", "m.nearestPossible(53.24, -90, 67.2)")
    assert a / b == pytest.approx(-90 / 67.2)
    assert run_module(editor.page, "lab.js", f"m.isPossible(53.24, {a}, {b})") is True
    assert run_module(editor.page, "lab.js", f"m.isPossible(53.24, {1.03 * a}, {1.03 * b})") is False


def test_keyboard_alone(editor, tmp_path):
    page, press = editor.page, editor.page.keyboard.press
    page.focus("#canvas")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowDown", "Enter"):
        press(key)
    editor.said("Now choose a colour")
    page.locator("#suggestions button").first.wait_for()
    press("3")
    editor.hints(1)
    (hint,) = editor.project(tmp_path)[1]["hints"]
    assert 35 < hint["x"] < 40
    assert hint["y"] > 26  # the middle, an arrow's step and one pixel
    page.focus("#canvas")
    press("Alt+Shift+ArrowLeft")
    (moved,) = editor.project(tmp_path)[1]["hints"]
    assert moved["x"] == pytest.approx(hint["x"] - 1, abs=0.011)
    press("]")
    assert editor.project(tmp_path)[1]["hints"][0]["radius"] > hint["radius"]
    press("Escape")
    press(",")
    assert page.locator("#hint-list button[aria-pressed=true]").count() == 1
    press("Delete")
    editor.hints(0)
    press("Control+z")
    editor.hints(1)
    press("?")
    page.locator("#help-dialog[open]").wait_for()
    editor.shot("desktop-6-help")
    press("Escape")
    page.locator("#help-dialog[open]").wait_for(state="detached")


def test_brush_colour_map_and_size(editor, tmp_path):
    page = editor.page
    box = page.locator("#gamut").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2)  # a > 0, b = 0
    page.keyboard.press("b")
    page.locator("#radius").fill("80")
    editor.drag((0.4, 0.5), (0.6, 0.5))
    editor.hints(1)
    editor.said("Stroke added")
    (stroke,) = editor.project(tmp_path)[1]["hints"]
    points = np.array(stroke["points"])
    assert len(points) > 3
    assert points[0][0] < 32 < 38 < points[-1][0]
    assert np.ptp(points[:, 1]) < 0.5
    assert stroke["ab"][0] > 5
    assert abs(stroke["ab"][1]) < 2
    assert stroke["radius"] > 1
    editor.shot("desktop-7-stroke")
    editor.drag((0.5, 0.5), (0.5, 0.6))  # takes the stroke itself
    editor.hints(1)
    moved = np.array(editor.project(tmp_path)[1]["hints"][0]["points"])
    np.testing.assert_allclose(moved[:, 0], points[:, 0], atol=0.02)
    assert np.ptp(moved[:, 1] - points[:, 1]) < 0.03
    assert moved[0, 1] > points[0, 1] + 1
    editor.click(0.5, 0.6, button="right")
    editor.hints(0)
    page.click("#undo")
    editor.hints(1)


def test_zoom_and_pan_keep_hints_in_their_place(editor, tmp_path):
    page = editor.page
    page.fill("#hex", "#b04030")
    page.keyboard.press("Enter")
    before = page.locator("#zoom").text_content()
    page.mouse.move(*editor.at(0.5, 0.5))
    page.mouse.wheel(0, -600)
    editor.until(f"document.getElementById('zoom').textContent !== '{before}'")
    editor.drag((0.5, 0.5), (0.7, 0.5))  # the point tool pans over empty places
    editor.hints(0)
    editor.click(0.7, 0.5)  # what was in the middle
    editor.hints(1)
    (hint,) = editor.project(tmp_path)[1]["hints"]
    assert (hint["x"], hint["y"]) == (pytest.approx(35, abs=0.2), pytest.approx(25, abs=0.2))
    page.keyboard.press("0")
    editor.until(f"document.getElementById('zoom').textContent === '{before}'")


def test_palette_and_words_and_reference(editor, tmp_path, encoded):
    page = editor.page
    page.click("#tab-palette")
    page.fill("#words", "autumn forest")
    page.click("#words-form button")
    page.locator("#palettes button").nth(4).wait_for()
    codes = page.locator("#palettes button").nth(1).get_attribute("data-codes").split(",")
    assert len(codes) == 5
    page.locator("#palettes button").nth(1).click()
    editor.settle()
    editor.shot("desktop-8-palette")
    project = editor.project(tmp_path)[1]
    assert project["palette"] == codes
    assert project["text"] == "autumn forest"
    page.locator("#palette-swatches button.remove").nth(0).click()
    assert editor.project(tmp_path)[1]["palette"] == codes[1:]
    page.fill("#palette-codes", "a1b2c3, #fed")
    page.keyboard.press("Enter")
    assert editor.project(tmp_path)[1]["palette"] == ["#a1b2c3", "#ffeedd"]
    page.fill("#palette-codes", "a1b2c3, blue")
    page.keyboard.press("Enter")
    editor.said("“blue” is no colour code")
    page.click("#palette-clear")
    assert "palette" not in editor.project(tmp_path)[1]

    picture = tmp_path / "other.png"
    picture.write_bytes(encoded(colour=True))
    page.set_input_files("#reference-file", picture)
    editor.said("The colours of other.png")
    reference = editor.project(tmp_path)[1]["reference"]
    assert reference["name"] == "other.png"
    assert sum(reference["histogram"].values()) == pytest.approx(1, abs=0.01)
    page.click("#reference-clear")
    page.keyboard.press("Control+z")
    assert editor.project(tmp_path)[1]["reference"] == reference


def test_sliders_and_versions(editor, tmp_path):
    page = editor.page
    page.click("#tab-look")
    page.locator("#saturation").fill("0")
    editor.settle()
    assert np.ptp(editor.pixel(0.5, 0.5)) <= 2
    page.click("#saturation-reset")
    page.locator("#temperature").fill("0.5")
    project = editor.project(tmp_path)[1]
    assert project["temperature"] == 0.5
    assert "saturation" not in project
    editor.until("[...document.querySelectorAll('#variants img')].filter((i) => i.naturalWidth).length === 7")
    version = page.locator("#variants button", has_text="Version 2")
    version.click()
    editor.settle()
    assert editor.project(tmp_path)[1]["seed"] == 2
    assert version.get_attribute("aria-checked") == "true"
    page.locator("#variants button", has_text="Automatic").click()
    assert "seed" not in editor.project(tmp_path)[1]


def test_before_and_after_and_guesses(editor):
    page = editor.page
    after = editor.pixel(0.45, 0.5), editor.pixel(0.55, 0.5)
    page.keyboard.press("c")
    editor.see((0.45, 0.5), lambda rgb: np.ptp(rgb) <= 2)
    assert editor.pixel(0.55, 0.5) == after[1]
    page.focus("#divider")
    page.keyboard.press("Home")
    editor.see((0.45, 0.5), lambda rgb: rgb == after[0])
    page.keyboard.press("c")
    page.keyboard.press("g")
    page.locator("#legend").wait_for()
    places = [(x / 20, y / 20) for x in range(6, 15) for y in range(6, 15)]
    amber = [lambda rgb: rgb[0] - rgb[2] > 60, lambda rgb: np.ptp(rgb) <= 3]  # least sure, and surest
    for check in amber:
        editor.see_somewhere(places, check)
    editor.shot("desktop-9-guesses")


def test_answers_out_of_order(editor):
    """The picture of earlier wishes that comes late does not replace that of later ones."""
    held, page = [], editor.page

    def colour(rgb):
        buffer = io.BytesIO()
        Image.new("RGB", (70, 50), rgb).save(buffer, "PNG")
        return {"body": buffer.getvalue(), "content_type": "image/png"}

    def answer(route):
        seed = json.loads(route.request.post_data)["wishes"].get("seed")
        if seed == 1:
            held.append(route)
        else:
            route.fulfill(**colour((0, 0, 255) if seed == 2 else (0, 255, 0)))

    page.route("**/preview", answer)
    set_seed = "(seed) => import('/static/main.js').then((m) => m.editor.apply({seed}))"
    page.evaluate(set_seed, 1)
    while not held:
        page.wait_for_timeout(20)
    page.evaluate(set_seed, 2)
    editor.see((0.5, 0.5), lambda rgb: rgb == (0, 0, 255))
    assert len(held) == 1
    held[0].fulfill(**colour((255, 0, 0)))
    editor.settle()  # the late answer is there
    page.wait_for_timeout(100)  # and what it would change is drawn
    assert editor.pixel(0.5, 0.5) == (0, 0, 255)


def test_photograph_that_the_server_has_closed(tiny_server, editor, drive, encoded, tmp_path):
    page = editor.page
    editor.click(0.5, 0.5)
    page.locator("#suggestions button").first.click()
    editor.hints(1)
    tiny_server.photos._opened.clear()
    editor.click(0.55, 0.55)  # of the server's folder: opened again without a word from the person
    editor.hints(2)
    editor.said("open again, with your hints")
    editor.settle()

    file = tmp_path / "mine.png"
    file.write_bytes(encoded(seed=3))
    editor.open(file)
    editor.said("mine.png is open")
    editor.hints(0)
    page.fill("#hex", "#b04030")
    page.keyboard.press("Enter")
    editor.click(0.5, 0.5)
    editor.hints(1)
    tiny_server.photos._opened.clear()
    page.reload()  # the page has no longer the file's bytes
    editor.said("Please open it again")
    editor.open(file)
    editor.said("open again, with your hints")
    editor.hints(1)
    assert all("404" in problem for problem in editor.problems)
    editor.problems.clear()


def test_server_that_is_gone_for_a_while(editor):
    page = editor.page
    page.context.set_offline(True)
    editor.click(0.5, 0.5)
    page.fill("#hex", "#b04030")
    page.keyboard.press("Enter")
    editor.said("The server does not answer")
    page.context.set_offline(False)
    editor.settle()
    editor.until("!document.getElementById('status').textContent.includes('does not answer')")
    assert all("ERR_INTERNET_DISCONNECTED" in problem for problem in editor.problems)
    editor.problems.clear()


def test_two_tabs_do_not_mix(tiny_server, editor):
    other = editor.page.context.new_page()
    other.goto(tiny_server.address)
    other.click("#folder-list button:has-text('boat')")
    other.locator("body[data-previews]").wait_for()
    editor.click(0.5, 0.5)
    editor.page.locator("#suggestions button").first.click()
    editor.hints(1)
    for page, title, hints in ((other, "boat.jpg", "0"), (editor.page, "attic.png", "1")):
        page.reload()
        page.locator(f"body[data-ready][data-hints='{hints}']").wait_for()
        assert page.locator("#title").text_content() == title


def test_project_waits_for_its_photograph(tiny_server, drive, tmp_path, encoded):
    """A project dropped first; its photograph at twice the size: the hints are scaled."""
    driver = drive(accept_downloads=True).go(tiny_server.address)
    hint = {"x": 20, "y": 10, "radius": 3, "color": "#3a7d44"}
    project = {"format": "gan_colorize-project", "version": 1, "hints": [hint]}
    project["photo"] = {"name": "big.png", "width": 70, "height": 50}
    (tmp_path / "big.hints.json").write_text(json.dumps(project))
    driver.open(tmp_path / "big.hints.json")
    driver.said("Now open the photograph big.png")
    (tmp_path / "big.png").write_bytes(encoded(100, 140))
    driver.open(tmp_path / "big.png")
    driver.hints(1)
    (scaled,) = driver.project(tmp_path)[1]["hints"]
    assert scaled == {"x": 40, "y": 20, "radius": 6, "color": "#3a7d44"}
    driver.problems[:] = [problem for problem in driver.problems if "404" not in problem]  # not in the folder


# Text and what lies behind it -> [contrast (WCAG 2), text] of everything that can be seen.
CONTRASTS = """() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (node) => {
        const colour = numbers(getComputedStyle(node).backgroundColor);
        return colour.length === 3 || !node.parentElement ? colour : ground(node.parentElement);
    };
    const own = (node) => [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const seen = (node) => node.checkVisibility() && !node.closest(":disabled, .swatch, .hidden, .skip");
    return [...document.body.querySelectorAll("*")].filter((node) => own(node) && seen(node)).map((node) => {
        const [p, q] = [numbers(getComputedStyle(node).color), ground(node)].map(luminance);
        return [(Math.max(p, q) + 0.05) / (Math.min(p, q) + 0.05), node.textContent.trim()];
    });
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, select, canvas, [role=slider]")]
    .filter((node) => node.checkVisibility())
    .filter((node) => !(node.ariaLabel || node.innerText?.trim() || node.title || node.labels?.length))
    .map((node) => node.outerHTML)"""


def test_everything_can_be_read_and_has_a_name(editor):
    page = editor.page
    editor.click(0.5, 0.5)
    page.locator("#suggestions button").first.click()
    for tab in ("look", "palette", "hints"):
        page.click(f"#tab-{tab}")
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 15
        assert [pair for pair in contrasts if pair[0] < 4.5] == []
        assert page.evaluate(NAMELESS) == []
    for dialog in ("help", "export"):
        page.click(f"#{dialog}")
        assert [pair for pair in page.evaluate(CONTRASTS) if pair[0] < 4.5] == []
        page.keyboard.press("Escape")
