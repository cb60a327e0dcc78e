"""Pictures of palettes: where the colours lie, and texts that are longer than the picture is wide."""

import numpy as np
import pytest

from gan_colorize.inference.swatches import draw_swatches

RED, BLUE = (200, 10, 20), (10, 20, 200)
WHITE = (255, 255, 255)


def sheet(text, palettes=1):
    return np.asarray(draw_swatches([(text, np.array([[RED, BLUE, RED, RED, RED]] * palettes, np.uint8))]))


def test_colours_lie_side_by_side_in_their_order():
    picture = sheet("")
    (row,) = {tuple(map(tuple, line)) for line in picture.tolist() if line[20] == list(RED)}
    runs = [colour for index, colour in enumerate(row) if index == 0 or colour != row[index - 1]]
    assert runs == [WHITE, RED, BLUE, RED, WHITE]
    assert row.count(BLUE) * 4 == row.count(RED)


def ink(text):
    """Rows and columns above the colours where something is written."""
    picture = sheet(text)
    top = int((picture == RED).all(2).any(1).argmax())
    return np.nonzero((picture[:top] != 255).any(2)), picture.shape[1]


@pytest.mark.parametrize(
    "text",
    ["sea", "many words " * 30, "W" * 100_000, "deep\nsea\r\nforest\ttree", "\N{CJK UNIFIED IDEOGRAPH-6D77}"],
)
def test_a_text_is_one_line_within_the_picture(text):
    (rows, columns), width = ink(text)
    assert len(rows) and rows.max() - rows.min() < 20
    assert columns.min() >= 10 and columns.max() < width - 10


def test_the_end_of_a_long_text_is_left_out_and_a_short_one_is_whole():
    assert (sheet("sea") != sheet("sea...")).any()
    assert (sheet("a sea " * 20) == sheet("a sea " * 200)).all()
