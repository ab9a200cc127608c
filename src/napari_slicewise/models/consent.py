"""Programs in files of models that the user has agreed to run. No torch here.

A TorchScript file is a program. It is loaded only after its SHA-256 was written into a list in
the user's configuration folder: a file that changes by one byte is another file.
"""

from __future__ import annotations

import re
from pathlib import Path

from platformdirs import user_config_path

from napari_slicewise.errors import ConsentNeededError, ModelError
from napari_slicewise.io.atomic_file import explain_output, replacing

__all__ = ["ask_consent", "is_trusted", "trust", "trusted_file", "trusted_programs"]

_HASH = re.compile(r"[0-9a-f]{64}")


def trusted_file() -> Path:
    """Return the list: one SHA-256 a line, then the file's name for the reader."""
    return user_config_path("napari-slicewise") / "trusted_programs.txt"


def trusted_programs() -> frozenset[str]:
    """Return the SHA-256 of every program that may run.

    Raises
    ------
    ModelError
        When the list is there and cannot be read.
    """
    place = trusted_file()
    try:
        text = place.read_text("utf-8")
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise ModelError(f"{place} cannot be read: {error}.", "Repair or delete it.") from error
    words = (line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip())
    return frozenset(word for word in words if _HASH.fullmatch(word))


def is_trusted(sha256: str) -> bool:
    """Tell whether the user has agreed to run the program in a file of this SHA-256."""
    return sha256 in trusted_programs()


def trust(sha256: str, name: str = "") -> None:
    """Remember that the user has agreed to run a program.

    Parameters
    ----------
    sha256
        Of its file, 64 hexadecimal digits.
    name
        Of its file, for the reader of the list.

    Raises
    ------
    ModelError
        When it is no SHA-256.
    OutputError
        When the list cannot be written.
    """
    sha256 = sha256.strip().lower()
    if not _HASH.fullmatch(sha256):
        raise ModelError(f"{sha256!r} is no SHA-256.", "It has 64 digits, 0 to 9 and a to f.")
    if is_trusted(sha256):
        return
    place = trusted_file()
    with explain_output(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        before = place.read_text("utf-8") if place.is_file() else ""
        if before and not before.endswith("\n"):
            before += "\n"
    line = f"{sha256} {' '.join(name.split())}".rstrip()
    with replacing(place) as temporary:
        temporary.write_text(f"{before}{line}\n", "utf-8")


def ask_consent(path: Path, sha256: str) -> ConsentNeededError:
    """Return the error that a panel makes a question of, and the command line prints."""
    return ConsentNeededError(
        f"{path} is a TorchScript program, and not weights alone. Opening it could run any code: "
        "it can read, change and delete what you can.",
        f"If you know where it comes from and trust it, allow it: --trust-code {sha256}. Safer: "
        "load it where it was made and save the weights, "
        "torch.save(model.state_dict(), 'weights.pt').",
        sha256,
        str(path),
    )
