"""What is looked at before torch opens a file: nothing in it may ask for more than it holds."""

from __future__ import annotations

import mmap
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from napari_slicewise.errors import ModelError

__all__ = ["check_bytes", "check_sizes", "refusal"]

# torch's safe unpickler lets this be called with any length, and it fills what it is given.
_FILLER = re.compile(rb"c(?:builtins|__builtin__)\n(bytearray)\n")


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
        "torch.save(model.state_dict(), 'weights.pt').",
    )


def _check_archive(path: Path) -> None:
    """Look at the archive's list of entries; unpack none."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise ModelError(
            f"{path} is a broken or incomplete archive.", "Download or copy it again."
        ) from error
    if any(entry.filename.rpartition("/")[2] == "constants.pkl" for entry in entries):
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
