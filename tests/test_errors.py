"""Messages fit for one line of a terminal."""

from gan_colorize.errors import one_line


def test_one_line() -> None:
    assert one_line(ValueError("  broken\n\n  in two\tplaces ")) == "broken in two places"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert one_line(OSError(28, "No space left")) == "[Errno 28] No space left"
