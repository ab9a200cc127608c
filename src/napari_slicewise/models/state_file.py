"""Tensors in files: read without running any code from the file, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from napari_slicewise.errors import ModelError, OutputError
from napari_slicewise.models.file_guard import check_bytes, check_sizes, refusal

__all__ = ["EXPECTED", "State", "inspect_file", "read_state", "replace_file"]

State = dict[str, Tensor]

EXPECTED = (
    "Expected is a state_dict of a 2D U-Net (.pt, .pth, .ckpt or .safetensors); "
    "docs/models.md lists which."
)

# Averaged weights come last: what a file calls its state_dict is what its author loads.
_WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "module",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema_model",
    "ema",
    "shadow",
)
_PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "_model.",
    "ema_model.",
    "net.",
    "network.",
    "unet.",
    "_forward_module.",
)
# What trainers keep beside the network, in the same state_dict.
_BESIDE = re.compile(
    r"(ema|ema_model|model_ema|_ema|teacher|loss|losses|loss_fn|loss_function|criterion|"
    r"criterions|metric|metrics|\w*_metrics?|\w*_loss|\w*_acc|\w*_iou|\w*_dice)\."
)


def read_state(path: Path, *, is_safetensors: bool) -> State:
    """Read all tensors, unwrapped, without prefixes, as float32.

    Raises
    ------
    ModelError
        When the file is no checkpoint, incomplete, or would run code.
    """
    state = _read_safetensors(path) if is_safetensors else _read_torch(path)
    return _check_tensors(path, _strip_prefixes(_leave_aside(state)))


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place once it is complete.

    Raises
    ------
    OutputError
        When it cannot be written; the temporary file is then removed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror or error}.",
            "Is there space left, and may you write in this folder?",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def inspect_file(path: Path) -> tuple[str, bool]:
    """Return the file's SHA-256, and whether its content is safetensors (else torch's).

    Raises
    ------
    ModelError
        When there is no file, or neither by its first bytes.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a folder.", "Choose a file with weights.")
    try:
        with path.open("rb") as file:
            start = file.read(9)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ModelError(f"There is no file {path}.", "Was it moved or renamed?") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not start:
        raise ModelError(f"{path} is empty.", "Download or copy it again.")
    # Safetensors begins with the length of its JSON, which may begin with any byte.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= max(size, 1 << 32):
        return digest, True
    if start.startswith((b"PK\x03\x04", b"\x80")):  # a zip archive, or a bare pickle
        return digest, False
    raise ModelError(f"{path} is no checkpoint.", EXPECTED)


def _read_safetensors(path: Path) -> State:
    """Read all tensors of a safetensors file."""
    try:
        return safetensors.torch.load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} is a broken or incomplete safetensors file: {error}.",
            "Download or copy it again.",
        ) from error


def _read_torch(path: Path) -> State:
    """Read a torch checkpoint with the unpickler that builds tensors and nothing else."""
    check_bytes(path)
    try:
        # An open file, since by its path torch may take a file for what its suffix says.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of archives before it refuses them
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _explain_pickle(path, error) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        if _begins_as_zip(path) and "TorchScript" in str(error):
            raise _refuse(path, "a TorchScript program", error) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise ModelError(
            f"{path} is no torch checkpoint, or is incomplete ({reason}).",
            f"Download or copy it again. {EXPECTED}",
        ) from error
    except (AttributeError, IndexError, AssertionError, ArithmeticError, MemoryError) as error:
        # A damaged pickle can make the unpickler stumble in many ways.
        raise ModelError(f"{path} is damaged.", "Download or copy it again.") from error
    return _unwrap(path, content)


def _begins_as_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive; ``zipfile.is_zipfile`` fails on some damage."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _explain_pickle(path: Path, error: pickle.UnpicklingError) -> ModelError:
    """Tell a file that wants to run code from one that is merely damaged."""
    text = str(error)
    for mark in ("GLOBAL ", "Unsupported global: "):
        _, found, rest = text.partition(mark)
        if found:
            name = rest.removeprefix("GLOBAL ").split()[0].rstrip(".,")
            return _refuse(path, f"a pickle that holds or calls {name!r}", error)
    return ModelError(
        f"{path} is no torch checkpoint, or is damaged.", f"Download or copy it again. {EXPECTED}"
    )


def _refuse(path: Path, what: str, error: BaseException) -> ModelError:
    """Say why a file that can run code is not opened, and how to make one that cannot."""
    made = refusal(path, what)
    made.__cause__ = error
    return made


def _unwrap(path: Path, content: object) -> State:
    """Find the state_dict in what was loaded."""
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return {str(key): value for key, value in content.items()}
        inner = [content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inner:
            keys = ", ".join(repr(key) for key in list(content)[:5] if isinstance(key, str))
            raise ModelError(f"{path} holds no weights, only {keys or 'nothing'}.", EXPECTED)
        content = inner[0]
    raise ModelError(f"{path} holds no weights but a {type(content).__name__}.", EXPECTED)


def _leave_aside(state: State) -> State:
    """Leave out losses, metrics and averaged copies that a trainer saved with the network.

    Only where the others then have one prefix in common: a network of whatever names is
    not taken apart.
    """
    kept = {key: value for key, value in state.items() if not _BESIDE.match(key)}
    if not kept or len(kept) == len(state):
        return state
    alone = any(all(key.startswith(prefix) for key in kept) for prefix in _PREFIXES)
    return kept if alone else state


def _strip_prefixes(state: State) -> State:
    """Take off what DataParallel, torch.compile and trainers put before every key."""
    for _ in range(4):
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in state)), None)
        if not state or prefix is None:
            break
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _check_tensors(path: Path, state: State) -> State:
    """Bring weights to dense float32; refuse what is no number."""
    check_sizes(path, state)
    out = {}
    for key, value in state.items():
        if value.layout != torch.strided or value.is_quantized or value.is_complex():
            raise ModelError(f"{path}: the tensor {key!r} is not made of plain numbers.", EXPECTED)
        out[key] = value.float() if value.is_floating_point() else value
        if key.endswith("running_var") and bool((out[key] < 0).any()):
            raise ModelError(
                f"{path}: the tensor {key!r} holds negative variances.",
                "The file is damaged; download or copy it again.",
            )
        if not bool(torch.isfinite(out[key]).all()):
            raise ModelError(
                f"{path}: the tensor {key!r} holds NaN or infinity.",
                "The training went wrong; take an earlier checkpoint.",
            )
    return out
