"""What is looked at before torch opens a file: nothing in it may ask for more than it holds."""

from __future__ import annotations

import hashlib
import mmap
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from napari_slicewise.errors import ModelError

__all__ = ["check_bytes", "check_sizes", "file_sha256", "form_of", "refusal"]

# torch's safe unpickler lets this be called with any length, and it fills what it is given.
_FILLER = re.compile(rb"c(?:builtins|__builtin__)\n(bytearray)\n")


def form_of(path: Path) -> Literal["weights", "onnx", "program"]:
    """Tell by its first bytes, and an archive's list of entries, what kind of model a file is.

    What cannot be read is called weights: reading those says why.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
            if start.startswith(b"PK\x03\x04"):
                file.seek(0)
                with zipfile.ZipFile(file) as archive:
                    return "program" if _is_program(archive) else "weights"
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        return "weights"
    # An ONNX file is a protobuf whose first field, number 1, is the format's version; the
    # ninth byte of safetensors is a brace.
    known = len(start) == 9 and start[0] == 0x08 and 3 <= start[1] <= 32
    return "onnx" if known and start[8:] != b"{" else "weights"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises
    ------
    ModelError
        When it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error


def _is_program(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is TorchScript's."""
    return any(name.rpartition("/")[2] == "constants.pkl" for name in archive.namelist())


def check_bytes(path: Path) -> None:
    """Refuse archives and pickles by which a small file would take much memory.

    torch writes its archives without compression and reads compressed ones whole; so a
    compressed entry is not its work, and may unpack to a thousand times its size.

    Raises
    ------
    ModelError
        When the file is such, a TorchScript archive, or a broken one.
    """
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            # Uncompressed, so that pickles inside of an archive are seen from outside.
            found = _FILLER.search(content)
            name = found[1].decode() if found else ""
    if is_archive:
        _check_archive(path)
    if name:
        raise ModelError(
            f"{path} is a pickle that calls 'builtins.{name}', by which it could fill the memory.",
            "No weights need that: do not trust the file.",
        )


def check_sizes(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse tensors with more elements than the file has bytes, before any is touched.

    A view can repeat one element (stride 0) as often as its shape says.

    Raises
    ------
    ModelError
        With the first tensor for which the file is too small; or that has no content.
    """
    left = path.stat().st_size
    for key, tensor in state.items():
        if tensor.device != torch.device("cpu"):
            raise ModelError(f"{path}: the tensor {key!r} has no content.", "Save it anew.")
        left -= tensor.numel()
        if left < 0:
            raise ModelError(
                f"{path}: the tensor {key!r} claims {tensor.numel()} elements, "
                f"and the file has {path.stat().st_size} bytes for all.",
                "The file is damaged, or made to exhaust the memory.",
            )


def refusal(path: Path, what: str) -> ModelError:
    """Say why a file that can run code is not opened, and how to make one that cannot."""
    return ModelError(
        f"{path} is {what}: opening it could run any code, so it was not opened.",
        "If you trust it, load it where it was made and save the weights alone: "
        "torch.save(model.state_dict(), 'weights.pt'), or of a checkpoint "
        "torch.save(torch.load(FILE, weights_only=False, map_location='cpu')['state_dict'], "
        "'weights.pt').",
    )


def _check_archive(path: Path) -> None:
    """Look at the archive's list of entries; unpack none."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries, is_program = archive.infolist(), _is_program(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise ModelError(
            f"{path} is a broken or incomplete archive.", "Download or copy it again."
        ) from error
    if is_program:
        raise refusal(path, "a TorchScript program")
    size = path.stat().st_size
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
            raise ModelError(
                f"{path}: its entry {entry.filename!r} is compressed, {entry.file_size} bytes "
                f"in {entry.compress_size}. Checkpoints are not, so it was not unpacked.",
                "If you trust it, load it where it was made and save it again with torch.save.",
            )
    if sum(entry.file_size for entry in entries) > size:
        raise ModelError(
            f"{path}: its entries overlap; together they are larger than the file.",
            "The file is damaged, or made to exhaust the memory.",
        )
