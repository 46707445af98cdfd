"""The one exception that is meant for the person at the keyboard."""


class InputError(ValueError):
    """Bad input, said in one line: what is wrong, where (file, key, line), what to do.

    The command line prints it without a traceback and leaves with exit code 2.
    """
