"""The page: one file that asks for nothing, in which no name can do harm."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_colorize.data.folder import open_source
from gan_colorize.evaluation.benchmark import write
from gan_colorize.evaluation.benchmark.cases import LARGEST_ERROR, SCALE, choose, difference_map
from gan_colorize.evaluation.benchmark.gather import SetOfPhotographs
from gan_colorize.evaluation.protocol import Settings

BLUE, RED = 20, 250
CROP = Settings(size=48, grid=0)
HARM = "<script>alert(1)</script>"
# what closes a string, an attribute or a script early
NAMES = (HARM, "\"onload='x", "a|b`c&amp;d", "</style><img src=x>")


class Reader(HTMLParser):
    """Collects elements and attributes, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script":
            self.scripts[-1] += data


@pytest.fixture
def written(photographs: Path, entries_of, measured, tmp_path: Path):
    """Write a report whose photographs, set and entries have the worst of names; the three files' texts."""
    for path, name in zip(sorted(photographs.iterdir()), NAMES, strict=False):
        path.rename(path.with_name(name.replace("/", "\N{DIVISION SLASH}") + ".png"))
    entries = entries_of({HARM: BLUE, NAMES[1]: RED})
    entries[0].about["training_data"] = NAMES[3]
    sets = [SetOfPhotographs("</script><b>", open_source(photographs))]
    report = measured(entries, photographs, sets=sets)
    report["unusable"] = {"broken": HARM}
    report["notes"].append(HARM)
    cost = {"side": 48, "repeats": 7, "batch_size": 16, "ms_alone": 1.5, "peak_mb": 300.25}
    report["machine"] = {"processor": HARM, "threads": 1, "cost": {HARM: cost}}
    write.write_all(report, entries, sets, CROP, "cpu", tmp_path / "out")
    return {
        name: (tmp_path / "out" / name).read_text("utf-8")
        for name in ("report.html", "report.md", "report.json")
    }


def test_no_name_becomes_markup(written: dict[str, str]) -> None:
    page = Reader()
    page.feed(written["report.html"])
    assert len(page.scripts) == 2 and "alert(1)" not in page.scripts[1]
    points = json.loads(page.scripts[0])
    assert HARM in points["</script><b>"]["entries"]
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert all(
        a.get("src", "data:").startswith("data:image/jpeg;base64,") for t, a in page.elements if t == "img"
    )
    assert HARM not in written["report.md"]
    assert json.loads(written["report.json"])["entries"].keys() > {HARM}


def test_nothing_is_asked_for_from_anywhere(written: dict[str, str]) -> None:
    page = Reader()
    page.feed(written["report.html"])
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "base", "video", "audio"}
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    # the one address is the name of SVG's language in the script
    addresses = set(re.findall(r"https?://[^\"'<> ]*", written["report.html"]))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "@import" not in written["report.html"] and "url(" not in written["report.html"]


def test_the_page_has_what_a_stranger_needs(written: dict[str, str]) -> None:
    page = Reader()
    page.feed(written["report.html"])
    tags = [tag for tag, _ in page.elements]
    report = json.loads(written["report.json"])
    for metric in report["metrics"]:
        assert metric["title"].split()[0] in written["report.html"] and len(metric["means"]) > 20
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    # five photographs: the truth, two networks and grey, and three maps of errors each
    assert len(images) == 5 * 7 and all(image["alt"] for image in images)
    assert tags.count("table") >= 3 and "svg" in tags
    assert all("aria-label" in a for t, a in page.elements if t == "svg")
    assert (
        report["protocol"]["id"] in written["report.html"]
        and report["protocol"]["id"] in written["report.md"]
    )


def test_cases_are_the_worst_the_middle_and_the_best() -> None:
    values = [0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8]
    listed = [
        {"index": i, "name": f"{i}", "values": {"a": {"lpips_alex": v, "psnr": 1.0}}}
        for i, v in enumerate(values)
    ]
    table = {"rows": {"a": {"lpips_alex": 0.5, "psnr": 1.0}}, "per_image": listed}
    cases = {case.index: case.why for case in choose(table, ["a", "failed"], most=6)}
    assert cases == {
        2: ["worst of a"],
        6: ["worst of a"],
        4: ["median of a"],
        0: ["median of a"],
        1: ["best of a"],
        5: ["best of a"],
    }
    assert [case.index for case in choose(table, ["a"], most=3)] == [2, 0, 1]
    assert choose(table, ["failed"]) == []
    for one in listed:
        del one["values"]["a"]["lpips_alex"]
    table["rows"]["a"] = {"psnr": 1.0}
    # without LPIPS it is PSNR, here the same for all: the order of the set decides
    assert [case.index for case in choose(table, ["a"], most=6)] == [0, 1, 2, 3, 6, 5]


def test_a_difference_map_is_dark_where_colours_are_right() -> None:
    skimage = pytest.importorskip("skimage.color")
    true = np.asarray(Image.linear_gradient("L").convert("RGB").resize((32, 32)))
    assert np.array_equal(np.unique(difference_map(true, true).reshape(-1, 3), axis=0), [SCALE[0]])
    red = np.broadcast_to(np.uint8([220, 30, 30]), (8, 8, 3)).copy()
    grey = np.broadcast_to(np.uint8([105, 105, 105]), (8, 8, 3)).copy()
    distance = np.linalg.norm(skimage.rgb2lab(red)[0, 0, 1:])
    assert distance > LARGEST_ERROR
    assert np.array_equal(difference_map(red, grey)[0, 0], SCALE[-1])
    # between two stops the colour is between theirs
    pale = np.broadcast_to(np.uint8([120, 100, 100]), (8, 8, 3)).copy()
    share = np.linalg.norm((skimage.rgb2lab(pale) - skimage.rgb2lab(grey))[0, 0, 1:]) / LARGEST_ERROR * 5
    low, high = (np.float64(SCALE[int(share) + step]) for step in (0, 1))
    expected = low + (share - int(share)) * (high - low)
    assert np.abs(difference_map(pale, grey)[0, 0] - expected).max() <= 1
