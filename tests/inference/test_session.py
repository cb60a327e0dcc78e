"""A session: how often the network runs, what its wishes do, and that nothing is half done."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize.errors import UserError
from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.inference.session import Session
from gan_colorize.inference.wishes import Hint, Reference, Wishes
from gan_colorize.models import create_model

GREEN = "#3a7d44"


@pytest.fixture(scope="module")
def runs():
    """Sizes of the batches that the network was run on."""
    return []


@pytest.fixture(scope="module")
def colorizer(listener, runs):
    made = Colorizer(listener, "cpu", "fp32")
    made.predictor.model.register_forward_hook(lambda model, given, result: runs.append(len(given[0])))
    return made


@pytest.fixture
def session(colorizer, runs, grey_picture):
    opened = colorizer.open(grey_picture(90, 130))
    runs.clear()
    return opened


def test_the_network_runs_once_until_it_is_told_something_new(session, runs):
    session.predict()
    session.preview(64)
    assert session.predict(confidence=True).confidence.shape == (90, 130)
    session.confidence_preview(40)
    session.suggest(30, 40)
    for wishes in (Wishes(temperature=0.1), Wishes(saturation=0.5), Wishes(seed=3), Wishes(seed=4)):
        session.wish(wishes)
        session.predict()
    session.colorize(temperature=2.0, seed=1)
    assert runs == [1]
    session.add_hint(30, 40, GREEN)
    session.preview(64)
    session.predict()
    assert runs == [1, 1]
    session.wish(Wishes(hints=session.wishes.hints, temperature=0.3))
    session.predict()
    assert runs == [1, 1]
    session.set_palette(["a1552b"])
    session.suggest(1, 1)
    session.wish(session.wishes)
    session.predict()
    assert runs == [1, 1, 1, 1]  # with the hint and without it
    session.move_hint(0, 50, 60)
    session.predict()
    assert runs == [1, 1, 1, 1, 1]


def test_opening_reads_and_tells_nothing(colorizer, runs, grey_picture):
    runs.clear()
    opened = colorizer.open(grey_picture(50, 60))
    opened.add_hint(3, 3, GREEN)
    assert isinstance(opened, Session) and runs == []
    assert opened.lightness_at(3, 3) == pytest.approx(float(opened.lightness[3, 3]))


def test_hints_are_added_moved_removed_and_undone(session):
    plain = session.predict().rgb8
    assert session.add_hint(30.5, 40.5, GREEN, radius=5) == 0
    first, one = session.wishes, session.predict().rgb8
    assert session.add_stroke([(80, 10), (100, 60)], (20, -50), radius=3) == 1
    both = session.predict().rgb8
    session.move_hint(1, 90, 20)
    assert session.wishes.hints[1] == Hint(((90.0, 20.0), (110.0, 70.0)), 3.0, (20.0, -50.0))
    moved = session.predict().rgb8
    pictures = [plain, one, both, moved]
    for i, picture in enumerate(pictures):
        for other in pictures[:i]:
            assert np.abs(picture.astype(int) - other).max() > 5
    session.remove_hint(1)
    assert session.wishes.hints == first.hints
    np.testing.assert_array_equal(session.predict().rgb8, one)
    session.remove_hint(0)
    np.testing.assert_array_equal(session.predict().rgb8, plain)
    session.wish(first)
    np.testing.assert_array_equal(session.predict().rgb8, one)
    assert rgb2lab(one)[40, 30, 1:] == pytest.approx(first.hints[0].ab, abs=8)


def test_every_wish_changes_the_picture_and_can_be_taken_back(session, drawn):
    plain = session.predict().rgb8
    reference = np.full((32, 32, 3), (30, 60, 200), np.uint8)

    def changes():
        return np.abs(session.predict().rgb8.astype(int) - plain).max() > 3

    session.set_palette(["c01010", "#1010c0"])
    assert session.wishes.palette == ("c01010", "1010c0") and changes()
    session.set_palette(None)
    assert not changes()
    session.set_reference(reference)
    assert session.wishes.reference.saturation == pytest.approx(170 / 200) and changes()
    session.set_reference(None)
    assert not changes()
    assert session.set_text("deep sea qqq", seed=4, drawer=drawn) == "a warning"
    assert drawn.asked == [("deep sea qqq", 4)] and session.wishes.text == "deep sea qqq"
    assert session.wishes.palette == ("0a141e",) * 5 and changes()
    session.set_text(None)
    assert session.wishes == Wishes(size=(130, 90)) and not changes()
    session.wish(Wishes(saturation=0.0))
    assert np.ptp(session.predict().rgb8.astype(int), axis=2).max() <= 1


@pytest.fixture
def drawn():
    """Draws five times one colour for any text."""

    class Drawer:
        def __init__(self):
            self.asked = []

        def draw(self, text, seed):
            self.asked.append((text, seed))
            return self

        palettes = np.full((1, 5, 3), (10, 20, 30), np.uint8)

        def warning(self):
            return "a warning"

    return Drawer()


def test_a_preview_is_the_reduced_picture(session):
    session.add_hint(30, 40, GREEN, radius=9)
    full = session.predict().rgb8
    np.testing.assert_array_equal(session.preview(130), full)
    np.testing.assert_array_equal(session.preview(4000), full)
    small = session.preview(65)
    assert small.shape == (45, 65, 3) and small.dtype == np.uint8
    reduced = np.asarray(Image.fromarray(full).resize((65, 45), Image.Resampling.BICUBIC))
    assert np.abs(small.astype(int) - reduced).mean() < 3
    assert session.preview(1).shape == (1, 1, 3)
    whole = session.predict(confidence=True).confidence
    sure = session.confidence_preview(65)
    assert sure.shape == (45, 65) and sure.dtype == np.float32 and sure.min() >= 0 and sure.max() <= 1
    reduced = np.asarray(Image.fromarray(whole).resize((65, 45), Image.Resampling.BOX))
    assert np.abs(sure - reduced).mean() < 0.02


def test_seeds_temperature_and_saturation_that_are_wished_are_those_of_colorize(session):
    def same(wishes, **settings):
        session.wish(wishes)
        wished = session.predict().rgb8
        session.wish(Wishes())
        np.testing.assert_array_equal(wished, session.colorize(**settings).rgb8)

    same(Wishes(seed=3), seed=3)
    same(Wishes(seed=0, temperature=0.5), seed=0, temperature=0.5)
    same(Wishes(temperature=0.1, saturation=1.5), temperature=0.1, saturation=1.5)
    session.wish(Wishes(seed=3, temperature=9.0))
    overruled = session.colorize(seed=4, temperature=1.0).rgb8
    session.wish(Wishes())
    np.testing.assert_array_equal(overruled, session.colorize(seed=4, temperature=1.0).rgb8)


def test_numpy_numbers_are_numbers(session):
    session.add_hint(np.float32(3.5), np.int64(4), (np.float64(20), np.float32(-30)), np.float32(2))
    session.add_stroke(np.array([[1, 2], [30, 40]]), np.array([20.0, -30.0]))
    assert session.wishes.hints[0] == Hint(((3.5, 4.0),), 2.0, (20.0, -30.0))
    assert session.wishes.hints[1] == Hint(((1.0, 2.0), (30.0, 40.0)), 90 / 50, (20.0, -30.0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda s: s.add_hint(131, 5, GREEN), r"hint: hint 1 at \(131, 5\) lies outside .* \(130x90\)"),
        (lambda s: s.add_hint(float("nan"), 5, GREEN), "hint, x or y: nan is no number"),
        (lambda s: s.add_hint(5, 5, "green"), "hint.color: 'green' is no colour"),
        (lambda s: s.add_hint(5, 5, None), "hint.ab must be two numbers"),
        (lambda s: s.add_hint(5, 5, (1.0,)), "hint.ab must be two numbers"),
        (lambda s: s.add_hint(5, 5, (float("nan"), 1.0)), "hint.ab: nan is no number"),
        (lambda s: s.add_hint(5, 5, GREEN, radius=0), "hint.radius: 0 is no number"),
        (lambda s: s.add_hint(5, 5, GREEN, radius=float("inf")), "hint.radius: inf is no number"),
        (lambda s: s.add_stroke([], GREEN), "hint.points must be a list"),
        (lambda s: s.add_stroke([(200, 5), (300, 9)], GREEN), "hint 1 is a stroke wholly outside"),
        (lambda s: s.move_hint(0, 1, 1), "there is no hint 0; there are 0"),
        (lambda s: s.remove_hint(-1), "there is no hint -1"),
        (lambda s: s.set_palette([]), "0 colours"),
        (lambda s: s.set_palette(["red"]), "'red' is no colour"),
        (lambda s: s.set_palette([0xFF0000]), "16711680 is no colour"),
        (lambda s: s.set_text(5), "text: 5 is no text"),
        (lambda s: s.set_reference(np.zeros((4, 4, 3), np.uint8)), "is grey"),
        (lambda s: s.wish(Wishes(temperature=99.0)), "--temperature 99: must lie between"),
        (lambda s: s.wish(Wishes(size=(90, 130), hints=())), "another shape"),
        (lambda s: s.suggest(5, 91), r"the point \(5, 91\) lies outside the photograph \(130x90\)"),
        (lambda s: s.lightness_at(float("nan"), 5), "lies outside the photograph"),
    ],
)
def test_what_cannot_be_wished_changes_nothing(session, wrong, message):
    with pytest.raises(UserError, match=message):
        wrong(session)
    assert session.wishes == Wishes()


def test_a_network_that_does_not_listen_says_so(network, grey_picture):
    deaf = Colorizer(create_model("cic", {"width": 4}), "cpu", "fp32").open(grey_picture(40, 50))
    with pytest.raises(UserError, match=r"this model \(cic\) does not listen to hints"):
        deaf.add_hint(3, 3, GREEN)
    with pytest.raises(UserError, match="does not listen to the colours of a reference"):
        deaf.wish(Wishes(reference=Reference(((0, 1.0),), 0.5)))
    plain = Colorizer(network, "cpu", "fp32").open(grey_picture(40, 50))
    with pytest.raises(UserError, match="does not listen to palettes"):
        plain.set_palette(["fff"])
    regressor = Colorizer(create_model("user_guided", {"width": 4}), "cpu", "fp32").open(grey_picture(40, 50))
    with pytest.raises(UserError, match="has no others to suggest"):
        regressor.suggest(3, 3)
    with pytest.raises(UserError, match="--samples: this model predicts one colour"):
        regressor.wish(Wishes(seed=3))


def test_a_failed_run_leaves_what_was_there(session, colorizer, monkeypatch):
    session.add_hint(30, 40, GREEN)
    before, wishes = session.predict().rgb8, session.wishes
    original = colorizer.predictor.predict
    monkeypatch.setattr(colorizer.predictor, "predict", lambda *given: (_ for _ in ()).throw(MemoryError()))
    session.add_hint(90, 40, "#ff00ff", radius=30)
    with pytest.raises(MemoryError):
        session.predict()
    session.wish(wishes)
    np.testing.assert_array_equal(session.predict().rgb8, before)
    monkeypatch.setattr(colorizer.predictor, "predict", original)
    session.add_hint(90, 40, "#ff00ff", radius=30)
    assert np.abs(session.predict().rgb8.astype(int) - before).max() > 20
