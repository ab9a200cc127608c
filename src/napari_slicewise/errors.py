"""What can go wrong, said so that a microscopist knows what to do next.

None of these is a ``RuntimeError``: napari's generator workers swallow that
class, and with it every out-of-memory error that torch raises.
"""

from __future__ import annotations

__all__ = [
    "ConsentNeededError",
    "ImageError",
    "ModelError",
    "OutputError",
    "RequestError",
    "SlicewiseError",
    "WorkerError",
]


class SlicewiseError(Exception):
    """Base class: a sentence that says what was found, and a hint that says what to do.

    Parameters
    ----------
    message
        What was found, and where (file, layer, axis, tensor name).
    hint
        What the user can do about it. May be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        # Both go to ``args`` so that the error survives pickling between processes.
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ImageError(SlicewiseError):
    """The image cannot be read, or is not what the operation needs."""


class ModelError(SlicewiseError):
    """The file is no usable model, or the model does not fit the image."""


class ConsentNeededError(ModelError):
    """A model is a program, and the user has not agreed to run it.

    Parameters
    ----------
    message, hint
        As for every error; the message is the warning.
    sha256
        Of the file: what consent is given to.
    path
        The file.
    """

    def __init__(self, message: str, hint: str = "", sha256: str = "", path: str = "") -> None:
        super().__init__(message, hint)
        self.sha256 = sha256
        self.path = path


class RequestError(SlicewiseError):
    """What was asked for is impossible or contradicts itself."""


class OutputError(SlicewiseError):
    """The result cannot be written."""


class WorkerError(SlicewiseError):
    """The inference process could not be started, or died."""
