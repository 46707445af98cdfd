"""Errors caused by input: reported in one line, without a traceback."""


class InputError(ValueError):
    """Base class of all errors that a user can correct.

    The message states in one line what is wrong, where (file, key, line) and what to do. The command line
    prints the message without a traceback and exits with code 2.
    """


class RecipeError(InputError):
    """A recipe, an option or a name is invalid."""


class DataError(InputError):
    """Images, label images or data set files are missing or invalid."""


class ModelError(InputError):
    """A model, its weights or an exported package cannot be loaded, used or written."""


class DownloadError(InputError):
    """A download failed, or the downloaded file is damaged."""


def reason_of(error: Exception) -> str:
    """Word an error of a file without its path, which may be that of a temporary folder.

    Args:
        error: any error.

    Returns:
        The reason.
    """
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
