"""The one exception that speaks to a person."""


class UserError(ValueError):
    """Bad input, told in one line: which file or option, what is wrong, what to do.

    The command line prints it without a traceback and exits with 1.
    """
