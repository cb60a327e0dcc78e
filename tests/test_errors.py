"""Messages fit for one line of a terminal."""

from gan_colorize.errors import one_line


def test_one_line() -> None:
    assert one_line(ValueError("  broken\n\n  in two\tplaces ")) == "broken in two places"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert one_line(OSError(28, "No space left")) == "[Errno 28] No space left"


def test_words_of_strangers_are_cut_and_printable() -> None:
    assert one_line(ValueError("bad tag \x1b[31m\x7f"), 200) == "bad tag ?[31m?"
    assert len(one_line(ValueError("x" * 5000), 200)) == 200
