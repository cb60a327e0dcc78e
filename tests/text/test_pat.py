"""Files of texts and palettes."""

import pytest

from gan_colorize.errors import UserError
from gan_colorize.text.pat import read_pairs

GOOD = "deep sea,001122 334455 667788 99aabb ccddee\n"


def test_rows_and_what_is_wrong_with_the_bad_ones(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "text,palette_rgb\n"
        + GOOD
        + 'a,"#fff 000 112233 445566 778899"\n'
        + "no colours\n"
        + "four,001122 334455 667788 99aabb\n"
        + "odd,001122 334455 667788 99aabb gggggg\n"
        + "\n"
        + "?!,001122 334455 667788 99aabb ccddee\n"
    )
    pairs, bad = read_pairs(path)
    assert [pair.text for pair in pairs] == ["deep sea", "a"]
    assert pairs[0].palette.tolist()[1] == [0x33, 0x44, 0x55]
    assert pairs[1].palette.tolist()[0] == [255, 255, 255]
    assert [place.rpartition(":")[2] for place, _ in bad] == ["4", "5", "6", "8"]
    reasons = "|".join(reason for _, reason in bad)
    assert "1 columns" in reasons and "4 colours" in reasons and "'gggggg' is no colour" in reasons
    assert "no word" in reasons


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns text and palette_rgb"),
        (b"name,colour\nred,ff0000\n", "columns text and palette_rgb"),
        (b"text,palette_rgb\n", "no row"),
        (b"text,palette_rgb\nred,ff0000\n", "no row.*line 2: 1 colours"),
        (b"\xff\xd8\xff\xe0 a photograph", "cannot be read as a CSV file"),
    ],
)
def test_a_file_without_pairs_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_pairs(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    with pytest.raises(UserError, match="No such file"):
        read_pairs(tmp_path / "missing.csv")
