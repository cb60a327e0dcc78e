"""The file of wishes: there and back, every way to write it wrongly, and hints placed on another size."""

import json
import math

import numpy as np
import pytest
from skimage.color import rgb2lab

from gan_colorize.errors import UserError
from gan_colorize.inference.wishes import (
    Hint,
    Reference,
    Wishes,
    hint_from_json,
    read_wishes,
    wishes_from_json,
    wishes_to_json,
    write_wishes,
)

POINT = {"x": 310.5, "y": 220, "radius": 12, "color": "#3a7d44"}
STROKE = {"points": [[10, 10], [40.5, 12]], "radius": 8, "ab": [-20.0, 15.5]}


def refused(data, *expected):
    with pytest.raises(UserError) as caught:
        wishes_from_json(data, "attic.hints.json")
    line = str(caught.value)
    assert line.startswith("attic.hints.json: ") and "\n" not in line and len(line) < 300
    for text in expected:
        assert text in line


def test_everything_that_can_be_wished():
    wishes = wishes_from_json(
        {
            "format": "gan_colorize-project",
            "version": 1,
            "photo": {"name": "attic.jpg", "width": 1200, "height": 900},
            "hints": [POINT, STROKE],
            "palette": ["a1b2c3", "#ffeedd"],
            "text": "autumn forest",
            "text_seed": 7,
            "reference": {"name": "other.jpg", "histogram": {"12": 0.25, "200": 0.75}, "saturation": 0.31},
            "temperature": 0.8,
            "saturation": 1,
            "seed": 3,
        },
        "test",
    )
    point, stroke = wishes.hints
    assert point.points == ((310.5, 220.0),) and point.radius == 12
    lab = rgb2lab(np.array([[[0x3A, 0x7D, 0x44]]], np.uint8))[0, 0]
    assert point.ab == pytest.approx(tuple(lab[1:]), abs=0.01)
    assert stroke == Hint(((10.0, 10.0), (40.5, 12.0)), 8.0, (-20.0, 15.5))
    assert wishes.palette == ("a1b2c3", "ffeedd") and (wishes.text, wishes.text_seed) == ("autumn forest", 7)
    assert wishes.reference == Reference(((12, 0.25), (200, 0.75)), 0.31, "other.jpg")
    assert (wishes.temperature, wishes.saturation, wishes.seed, wishes.size) == (0.8, 1.0, 3, (1200, 900))
    assert wishes.without_hints().hints == () and wishes.without_hints().palette == wishes.palette


def test_there_and_back(tmp_path):
    assert wishes_from_json({}, "test") == Wishes()
    wishes = Wishes(
        hints=(Hint(((1.25, 2.0),), 0.5, (3.0, -4.0)), Hint(((0.1, 0.2), (0.3, 0.4)), 9.0, (0.0, 99.5))),
        palette=("a1b2c3",),
        text="sea",
        text_seed=4,
        reference=Reference(((0, 0.5), (312, 0.5)), 0.25, "über.jpg"),
        temperature=0.4,
        saturation=0.0,
        seed=0,
        size=(640, 480),
    )
    for one in (wishes, Wishes(), Wishes(hints=wishes.hints)):
        assert wishes_from_json(json.loads(json.dumps(wishes_to_json(one))), "test") == one
        write_wishes(tmp_path / "a.hints.json", one, "a.jpg")
        assert read_wishes(tmp_path / "a.hints.json") == one
    assert wishes_to_json(wishes, "a.jpg")["photo"] == {"name": "a.jpg", "width": 640, "height": 480}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the file must be an object in braces, not a list"),
        (None, "the file must be an object in braces, not nothing"),
        ({"hint": []}, "unknown key 'hint' in the file; known are format, hints, palette"),
        ({"x" * 5000: 1}, "unknown key 'xxx"),
        ({"format": "psd"}, "is of the format 'psd', not 'gan_colorize-project'"),
        ({"format": ["deep", "x" * 500]}, "is of the format a list"),
        ({"version": 2}, "has version 2; this release reads 1"),
        ({"version": True}, "version: True is no whole number"),
        ({"version": None}, "has version nothing"),
        ({"photo": []}, "photo must be an object in braces"),
        ({"photo": {"width": 3}}, "photo: needs both width and height"),
        ({"photo": {"width": 3.5, "height": 2}}, "photo.width: 3.5 is no whole number from 1"),
        ({"photo": {"width": 0, "height": 2}}, "photo.width: 0 is no whole number from 1 to 1,000,000"),
        ({"photo": {"name": 5}}, "photo.name: 5 is no text"),
        ({"hints": {}}, "hints must be a list in brackets, not an object"),
        ({"hints": [3]}, "hints[0] must be an object in braces, not 3"),
        ({"hints": [POINT, POINT | {"z": 1}]}, "unknown key 'z' in hints[1]"),
        ({"hints": [POINT | {"points": [[1, 2]]}]}, "hints[0]: needs either x and y or points"),
        ({"hints": [{"radius": 3, "ab": [1, 2]}]}, "hints[0]: needs either x and y or points"),
        ({"hints": [{"x": 3, "radius": 3, "ab": [1, 2]}]}, "hints[0], x or y: nothing is no number"),
        ({"hints": [POINT | {"x": "3"}]}, "hints[0], x or y: '3' is no number from -1e+06 to 1e+06"),
        ({"hints": [POINT | {"x": True}]}, "hints[0], x or y: True is no number"),
        ({"hints": [POINT | {"y": math.nan}]}, "hints[0], x or y: nan is no number"),
        ({"hints": [POINT | {"y": 10**400}]}, "hints[0], x or y: 1000"),
        ({"hints": [POINT | {"radius": math.inf}]}, "hints[0].radius: inf is no number from 0.1 to 1e+06"),
        ({"hints": [POINT | {"radius": 0}]}, "hints[0].radius: 0 is no number"),
        ({"hints": [POINT | {"ab": [1, 2]}]}, "hints[0]: needs either color"),
        ({"hints": [POINT | {"color": "green"}]}, "hints[0].color: 'green' is no colour; one looks like"),
        ({"hints": [POINT | {"color": 123456}]}, "hints[0].color: 123456 is no colour"),
        ({"hints": [POINT | {"color": None}]}, "hints[0].color: nothing is no colour"),
        ({"hints": [POINT | {"color": "f" * 100_000}]}, "hints[0].color: 'ffff"),
        ({"hints": [STROKE | {"points": []}]}, "hints[0].points must be a list of [x, y]"),
        ({"hints": [STROKE | {"points": [[1, 2, 3]]}]}, "hints[0].points must be a list of [x, y]"),
        ({"hints": [STROKE | {"points": [{"x": 1}]}]}, "hints[0].points must be a list of [x, y]"),
        ({"hints": [STROKE | {"ab": [1]}]}, "hints[0].ab must be two numbers"),
        ({"hints": [STROKE | {"ab": [1, 129]}]}, "hints[0].ab: 129 is no number from -128 to 128"),
        ({"hints": [STROKE | {"points": [[1, 2]] * 200_001}]}, "more than 200,000 points"),
        ({"palette": "a1b2c3"}, "palette must be a list of one to 5 colours"),
        ({"palette": []}, "palette must be a list of one to 5 colours"),
        ({"palette": ["fff"] * 6}, "palette must be a list of one to 5 colours"),
        ({"palette": ["fff", 123]}, "palette: 123 is no colour"),
        ({"palette": ["ffff"]}, "palette: 'ffff' is no colour"),
        ({"text": 5}, "text: 5 is no text"),
        ({"text": ["sea"]}, "text: a list is no text"),
        ({"text_seed": -1}, "text_seed: -1 is no whole number from 0 to 2^63 - 1"),
        ({"seed": 1.0}, "seed: 1.0 is no whole number"),
        ({"seed": 2**63}, "seed: 9223372036854775808 is no whole number"),
        ({"temperature": 0}, "temperature: 0 is no number from 0.01 to 10"),
        ({"saturation": 4.5}, "saturation: 4.5 is no number from 0 to 4"),
        ({"reference": {"saturation": 0.5}}, "reference.histogram must map numbers of bins to shares"),
        ({"reference": {"histogram": {"313": 1}}}, "reference.histogram: '313' is no bin; they are 0 to 312"),
        ({"reference": {"histogram": {"9" * 5000: 1}}}, "is no bin"),
        ({"reference": {"histogram": {"01": 1}}}, "reference.histogram: '01' is no bin"),
        ({"reference": {"histogram": {"1": -1}}}, "reference.histogram[1]: -1 is no number from 0 to 1"),
        ({"reference": {"histogram": {"1": 0.5}}}, "reference.histogram: its shares sum to 0.500, not to 1"),
        ({"reference": {"histogram": {"1": 1}}}, "reference.saturation: nothing is no number from 0 to 1"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(data, message):
    refused(data, message)


def test_values_of_any_depth_are_told_in_one_line():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    refused({"palette": [deep]}, "palette: a list is no colour")
    refused({"hints": deep}, "hints[0] must be an object in braces, not a list")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no file of hints (not JSON: Expecting value"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is no file of hints (not JSON: "),
        (b'{"hints": [}', "is no file of hints (not JSON: "),
        (b'{"seed": 1, "seed": 2}', "the key 'seed' comes twice"),
        (b'{"hints": [{"x": 1, "x": 2}]}', "the key 'x' comes twice"),
        (b'{"photo": {"width": NaN}}', "NaN is no number"),
        (b'{"temperature": Infinity}', "Infinity is no number"),
        (b'{"temperature": 1e400}', "temperature: inf is no number from 0.01 to 10"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "is no file of hints"),
        (b"[" * 200_000, "is no file of hints"),
        (b" " * 16_000_001, "is too large for a file of hints (over 16,000,000 bytes)"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "bad.hints.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_wishes(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and message in line and "\n" not in line and len(line) < 400


def test_no_file_and_a_byte_order_mark(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            read_wishes(path)
    (tmp_path / "bom.json").write_bytes(b'\xef\xbb\xbf{"seed": 5}')
    assert read_wishes(tmp_path / "bom.json").seed == 5


def test_hints_placed_on_a_copy_are_scaled():
    wishes = Wishes(hints=(Hint(((100.0, 50.0), (200.0, 150.0)), 6.0, (1.0, 2.0)),), size=(400, 300))
    fitted = wishes.fitted(1600, 1200, "test")
    assert fitted.hints == (Hint(((400.0, 200.0), (800.0, 600.0)), 24.0, (1.0, 2.0)),)
    assert fitted.size == (1600, 1200) and fitted.fitted(1600, 1200, "test") == fitted
    assert fitted.fitted(400, 300, "test") == wishes
    unknown = Wishes(hints=wishes.hints)
    assert unknown.fitted(1600, 1200, "test").hints == wishes.hints


@pytest.mark.parametrize("full", [(1000, 1499), (6000, 4001), (683, 77), (9000, 11), (1, 1), (1, 700)])
@pytest.mark.parametrize("side", [64, 100, 683, 1024])
@pytest.mark.parametrize("cut", [round, math.floor, math.ceil])
def test_copies_of_any_rounding_agree_and_borders_stay_borders(full, side, cut):
    share = min(1.0, side / max(full))
    copy = tuple(max(1, cut(length * share)) for length in full)
    corners = tuple((float(x), float(y)) for x in (0, copy[0]) for y in (0, copy[1]))
    wishes = Wishes(hints=tuple(Hint((corner,), 1.0, (9.0, 9.0)) for corner in corners), size=copy)
    points = [hint.points[0] for hint in wishes.fitted(*full, "test").hints]
    assert points == [(x, y) for x in (0, full[0]) for y in (0, full[1])]


@pytest.mark.parametrize("size", [(300, 400), (400, 310), (399, 100), (8000, 4000)])
def test_copies_of_another_shape_are_refused(size):
    wishes = Wishes(hints=(Hint(((1.0, 1.0),), 1.0, (0.0, 0.0)),), size=(400, 300))
    with pytest.raises(UserError, match=r"^x\.json: its hints are for a photograph of 400x300; this one has"):
        wishes.fitted(*size, "x.json")


@pytest.mark.parametrize(
    ("points", "inside"),
    [
        ([(0, 0)], True),
        ([(100, 50)], True),
        ([(100.01, 50)], False),
        ([(50, -0.01)], False),
        ([(-10, 25), (110, 25)], True),  # both ends outside, the line across
        ([(-10, 15), (10, -25), (110, -25)], False),
        ([(-10, 60), (60, -10)], True),  # across the corner
        ([(-40, 30), (30, -40)], False),  # past it
        ([(50, -5), (50, -5), (50, 5)], True),
        ([(-5, -5), (-5, 200), (200, 200), (200, -5)], False),  # around it
        ([(50, 500), (50, -500)], True),
    ],
)
def test_hints_must_lie_in_the_photograph(points, inside):
    wishes = Wishes(hints=(Hint(((1, 1),), 1, (0, 0)), Hint(tuple(points), 2.0, (1.0, 2.0))))
    if inside:
        assert len(wishes.fitted(100, 50, "x.json").hints) == 2
        return
    with pytest.raises(UserError, match=r"^x\.json: hint 2 .* outside the photograph \(100x50\)$"):
        wishes.fitted(100, 50, "x.json")


def test_numbers_that_are_none_are_refused_however_they_came():
    nan = math.nan
    for hint in (
        Hint(((nan, 1.0),), 1.0, (0.0, 0.0)),
        Hint(((1.0, 1.0), (2.0, math.inf)), 1.0, (0.0, 0.0)),
        Hint(((1.0, 1.0),), math.inf, (0.0, 0.0)),
        Hint(((1.0, 1.0),), 1.0, (nan, 0.0)),
    ):
        with pytest.raises(UserError, match="hint 1 has a number that is not finite"):
            Wishes(hints=(hint,)).fitted(10, 10, "x.json")


def test_one_hint_by_itself():
    assert hint_from_json(STROKE, "hint") == Hint(((10.0, 10.0), (40.5, 12.0)), 8.0, (-20.0, 15.5))
    with pytest.raises(UserError, match=r"^hint\.radius: 0 is no number"):
        hint_from_json(STROKE | {"radius": 0}, "hint")
