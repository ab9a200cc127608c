"""The network in int8, by NNCF's post-training quantisation, kept on disk with its check."""

from __future__ import annotations

import contextlib
import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicewise.inference.backends import UnfitError
from napari_slicewise.inference.calibration import Agreement, ImageTiles, compare
from napari_slicewise.inference.device import is_out_of_memory
from napari_slicewise.inference.openvino_backend import (
    CompiledBackend,
    cache_folder,
    converted,
    new_core,
)
from napari_slicewise.inference.quiet_imports import import_nncf, import_openvino
from napari_slicewise.inference.stream import CancelToken
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Int8Store", "StoppedError", "can_quantize", "quantize_and_check"]

_MOST_KEPT = 16
_MOST_BYTES = 1 << 30


class StoppedError(Exception):
    """The run was stopped while its network was being quantised."""


def can_quantize() -> bool:
    """Tell whether OpenVINO and NNCF are installed."""
    if find_spec("openvino") is None or find_spec("nncf") is None:
        return False
    try:
        version("nncf")
    except PackageNotFoundError:
        return False
    return True


class Int8Store:
    """Quantised networks on disk, each with what its check found.

    A network stands under a name made of everything it depends on: the weights, what
    the model says of itself, the tiles, the versions. Its note is written last and
    holds a digest of the network, so that a crash or a damaged file costs no more than
    quantising again. The networks used last are kept, in bounded number and size.

    Parameters
    ----------
    folder
        None takes the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or cache_folder()) / "openvino" / "int8"

    def name(self, sha256: str, spec: ModelSpec, tiles: ImageTiles) -> str:
        """Name what these tiles make of this network."""
        versions = f"{version('openvino')} {version('nncf')}"
        rest = blake2b(f"{versions} {spec.to_json()}".encode(), digest_size=6).hexdigest()
        return f"{sha256[:24]}-{rest}-{tiles.digest}"

    def find(self, name: str) -> tuple[CompiledBackend, Agreement] | None:
        """Return a network and its check, None where they are missing or damaged."""
        note = self._folder / f"{name}.json"
        try:
            found = json.loads(note.read_text("utf-8"))
            network = note.with_suffix(".xml")
            if _digest(network) != found.pop("digest"):
                return None
            for key in ("shares", "foreground"):
                found[key] = tuple(found[key])
            agreement = Agreement(**found)
            backend = CompiledBackend(new_core().read_model(network), "float32")
            note.touch()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError):
            return None
        return backend, agreement

    def keep(self, name: str, model: Any, agreement: Agreement) -> None:
        """Write a network and its note; a full disk costs only that."""
        openvino = import_openvino()
        with contextlib.suppress(OSError, RuntimeError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                draft = Path(folder) / f"{name}.xml"
                openvino.save_model(model, draft, compress_to_fp16=False)
                note = {**asdict(agreement), "digest": _digest(draft)}
                draft.with_suffix(".json").write_text(json.dumps(note), "utf-8")
                for suffix in (".bin", ".xml", ".json"):
                    draft.with_suffix(suffix).replace(self._folder / f"{name}{suffix}")
            self._forget()

    def _forget(self) -> None:
        """Remove what was used longest ago."""
        notes = sorted(self._folder.glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
        size = 0
        for number, note in enumerate(notes):
            files = [note, note.with_suffix(".xml"), note.with_suffix(".bin")]
            size += sum(file.stat().st_size for file in files if file.exists())
            if number >= _MOST_KEPT or (number and size > _MOST_BYTES):
                for file in files:
                    file.unlink(missing_ok=True)


def quantize_and_check(
    network: Any,
    spec: ModelSpec,
    sha256: str,
    tiles: ImageTiles,
    token: CancelToken,
    store: Int8Store,
) -> tuple[CompiledBackend, Agreement]:
    """Quantise a network on tiles of an image, and compare it with float32 on others.

    Raises
    ------
    StoppedError
        When the run was stopped meanwhile; looked at before each tile.
    UnfitError
        When the network cannot be converted or quantised.
    """
    core = new_core()
    model = converted(core, network, spec, sha256, cache_folder())
    small = _quantize(model.clone(), tiles.calibration, token)
    quick = CompiledBackend(small, "float32")  # what stays unquantised stays exact
    exact = CompiledBackend(model, "float32")
    answers = [
        (exact.predict(tile)[0], quick.predict(tile)[0])
        for tile in _until_stopped(tiles.held_out, token)
    ]
    agreement = compare([one for one, _ in answers], [other for _, other in answers], spec)
    store.keep(store.name(sha256, spec, tiles), small, agreement)
    return quick, agreement


def _until_stopped(
    tiles: Sequence[NDArray[np.float32]], token: CancelToken
) -> Iterator[NDArray[np.float32]]:
    """Yield tiles as ``(1, channel, y, x)``."""
    for tile in tiles:
        if token.cancelled:
            raise StoppedError
        yield tile[np.newaxis]


class _Tiles:
    """Tiles as NNCF wants them: iterated more than once."""

    def __init__(self, tiles: Sequence[NDArray[np.float32]], token: CancelToken) -> None:
        self._tiles, self._token = tiles, token

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return _until_stopped(self._tiles, self._token)

    def __len__(self) -> int:
        return len(self._tiles)


def _quantize(model: Any, tiles: Sequence[NDArray[np.float32]], token: CancelToken) -> Any:
    """Run NNCF's post-training quantisation.

    It may raise any error class of its own, which share no base.
    """
    nncf = import_nncf()
    errors: tuple[type[Exception], ...] = (RuntimeError, ValueError)
    for value in vars(nncf.errors).values():
        if isinstance(value, type) and issubclass(value, Exception):
            errors = (*errors, value)
    with _silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return nncf.quantize(model, nncf.Dataset(_Tiles(tiles, token)), subset_size=len(tiles))
        except errors as error:
            if is_out_of_memory(error):
                raise
            raise UnfitError(f"NNCF cannot quantise this network: {error}") from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep NNCF's progress bars, drawn by rich, off the terminal."""
    import rich

    console = rich.get_console()
    quiet, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = quiet


def _digest(path: Path) -> str:
    """Digest the two files of a network."""
    digest = blake2b(path.read_bytes(), digest_size=20)
    digest.update(path.with_suffix(".bin").read_bytes())
    return digest.hexdigest()
