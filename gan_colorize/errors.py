"""The one exception that speaks to a person, and what others say made fit for it."""


class UserError(ValueError):
    """Bad input, told in one line: which file or option, what is wrong, what to do.

    The command line prints it without a traceback and exits with 1.
    """


def one_line(error: BaseException, most: int | None = None) -> str:
    """An error's message without its line breaks; its type where it has no message.

    most: for messages of strangers, which may quote a damaged file: cut to so many printable characters.
    """
    line = " ".join(str(error).split())
    if most is not None:
        line = "".join(character if character.isprintable() else "?" for character in line[:most])
    return line or type(error).__name__
