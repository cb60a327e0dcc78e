"""The one exception that speaks to a person, and what others say made fit for it."""


class UserError(ValueError):
    """Bad input, told in one line: which file or option, what is wrong, what to do.

    The command line prints it without a traceback and exits with 1.
    """


def one_line(error: BaseException) -> str:
    """An error's message without its line breaks; its type where it has no message."""
    return " ".join(str(error).split()) or type(error).__name__
