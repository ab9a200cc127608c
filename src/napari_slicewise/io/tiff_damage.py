"""The one place where the exceptions of decoders become a sentence for people."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_slicewise.errors import ImageError

__all__ = ["corrupt", "explain_damage", "short_name"]

_DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,  # of the XML parser
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What tifffile, imagecodecs and numpy raise on damaged bytes; not what ends a program."""


def short_name(path: str | Path) -> str:
    """Return a file's name, shortened in the middle so that a message stays readable."""
    name = Path(path).name or str(path)  # / and . have no name
    return name if len(name) <= 44 else f"{name[:28]}…{name[-14:]}"


def corrupt(path: str | Path, what: str, hint: str = "") -> ImageError:
    """Return the error for a file that is damaged or cut off."""
    return ImageError(
        f"{short_name(path)} is corrupt: {what}.", hint or "Copy it again from its source."
    )


@contextmanager
def explain_damage(path: str | Path, doing: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an :class:`ImageError` that says what and where.

    Parameters
    ----------
    path
        The file.
    doing
        What was tried, after "could not", such as "read page 3 of 8".

    Raises
    ------
    ImageError
        For every error of reading; one that is an ImageError already passes through.
    """
    try:
        yield
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{short_name(path)} is not there any more.", "Was it moved?") from error
    except PermissionError as error:
        raise ImageError(
            f"failed to read {short_name(path)}: no permission.", "Ask its owner for access."
        ) from error
    except _DECODER_ERRORS as error:
        raise _explained(path, doing, error) from error


def _explained(path: str | Path, doing: str, error: Exception) -> ImageError:
    """Choose the sentence for one decoder error."""
    reason = str(error).strip().split("\n")[0]
    if "not a TIFF file" in reason or "not a TIFF" in reason:
        return ImageError(f"{short_name(path)} is not a TIFF file.", "Check what it really is.")
    if isinstance(error, (NotImplementedError, ValueError)) and (
        "not supported" in reason or "requires" in reason or "cannot decode" in reason
    ):
        return ImageError(
            f"failed to read {short_name(path)}: its way of storing pixels is unknown "
            f"({reason[:60]}).",
            "Save it again uncompressed with the program that made it.",
        )
    detail = f"{type(error).__name__}: {reason[:40]}" if reason else type(error).__name__
    return corrupt(path, f"could not {doing} ({detail})")
