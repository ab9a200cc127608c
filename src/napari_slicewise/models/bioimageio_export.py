"""Writing a model as a bioimage.io package of format 0.5, by bioimageio.spec's own classes."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_slicewise.errors import ModelError, OutputError
from napari_slicewise.io.atomic_file import check_output, replacing
from napari_slicewise.models.bioimageio_any_size import AnySizeProgram
from napari_slicewise.models.bioimageio_cover import draw_cover
from napari_slicewise.models.bioimageio_description import (
    Geometry,
    citations,
    describe_file,
    describe_input,
    describe_output,
    general_facts,
    outer_activation,
    write_readme,
)
from napari_slicewise.models.bioimageio_network import (
    CALLABLE,
    packaged_sides,
    packaged_source,
    write_program,
)
from napari_slicewise.models.bioimageio_processing import prepare_tensor
from napari_slicewise.models.bioimageio_reading import needs_library
from napari_slicewise.models.spec import ModelSpec

__all__ = ["PackageOptions", "export_package", "sample_shape"]


@dataclass(frozen=True)
class PackageOptions:
    """What a package says beside its model.

    Parameters
    ----------
    authors
        Names of those who made the model.
    card
        Markdown for the README; empty writes one from the specification.
    halo
        Whether to declare the margin as halo. Other programs then read that much more
        around every tile, and mirror it at the image's border, where the network alone
        would see nothing: near borders the result is then another one than here.
    """

    authors: Sequence[str] = ()
    card: str = ""
    halo: bool = False


def sample_shape(spec: ModelSpec) -> tuple[int, int, int]:
    """Return the shape ``(c, y, x)`` of the test image that a package of the model needs."""
    side = Geometry.of(spec, halo=True).least  # so that both kinds of package can have it
    return spec.in_channels, side, side


def export_package(
    path: Path,
    network: nn.Module,
    spec: ModelSpec,
    image: NDArray[Any],
    options: PackageOptions | None = None,
    *,
    inputs: Sequence[Path] = (),
    overwrite: bool = False,
) -> None:
    """Write a model as a bioimage.io package.

    Parameters
    ----------
    path
        The zip to write.
    network
        In evaluation mode, without activations behind it.
    spec
        What it is.
    image
        ``(c, y, x)``, of the shape that :func:`sample_shape` gives, in its own data type:
        the package's test image, and what its cover is drawn from. Models of 8-bit values
        need an 8-bit one.
    options
        What else it says.
    inputs
        Files that must not be replaced.
    overwrite
        Whether a file of that name may be replaced.

    Raises
    ------
    ModelError
        When the model cannot be packaged, or bioimageio.spec is missing.
    OutputError
        When there is such a file already, or it cannot be written.
    """
    try:
        from bioimageio.spec import ValidationContext
    except ImportError as error:
        raise needs_library() from error
    check_output(path, inputs)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already.", "Choose another name, or give --overwrite.")
    options = options or PackageOptions()
    # Offline: the library would look up every DOI, URL and user name otherwise.
    offline = ValidationContext(perform_io_checks=False, log_warnings=False)
    with tempfile.TemporaryDirectory(prefix="slicewise-package-") as folder, offline:
        description = _describe(Path(folder), network, spec, image, options)
        with replacing(path) as temporary:
            _write(description, temporary)


def _describe(
    folder: Path,
    network: nn.Module,
    spec: ModelSpec,
    image: NDArray[Any],
    options: PackageOptions,
) -> Any:
    """Write the package's files into a folder, and describe them."""
    from bioimageio.spec.generic.v0_3 import Author, LicenseId
    from bioimageio.spec.model import v0_5
    from bioimageio.spec.utils import get_spdx_licenses

    geometry = Geometry.of(spec, halo=options.halo)
    given, expected, readme, cover = (
        folder / name for name in ("test_input.npy", "test_output.npy", "README.md", "cover.png")
    )
    np.save(given, _test_image(image, spec))
    described = describe_input(spec, geometry, given)
    output = _run(network, spec, prepare_tensor(np.load(given), described))
    np.save(expected, output)
    readme.write_text(write_readme(spec, options.card), "utf-8")
    cover.write_bytes(draw_cover(image, _inside(output[0], spec)))
    known = {entry["licenseId"] for entry in get_spdx_licenses()["licenses"]}
    try:
        return v0_5.ModelDescr(
            **general_facts(spec),
            authors=[Author(name=name) for name in options.authors],
            cite=citations(spec, options.card),
            license=LicenseId(spec.licence) if spec.licence in known else None,
            documentation=describe_file(readme),
            covers=[describe_file(cover)],
            inputs=[described],
            outputs=[describe_output(spec, geometry, expected)],
            weights=v0_5.WeightsDescr(**_weights(folder, network, spec)),
        )
    except ValueError as error:  # pydantic's is one
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"The model cannot be described for bioimage.io: {reason}") from error


def _write(description: Any, path: Path) -> None:
    """Write a package. The library does so too, and leaves every file of it open."""
    from bioimageio.spec import get_package_content
    from bioimageio.spec.utils import write_yaml

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in get_package_content(description).items():
            if isinstance(content, Mapping):
                text = io.StringIO()
                write_yaml(content, text)
                archive.writestr(name, text.getvalue())
            else:
                archive.write(str(content.source), name)


def _weights(folder: Path, network: nn.Module, spec: ModelSpec) -> dict[str, Any]:
    """Write the weights: as a state_dict with its source, or else as a program."""
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.generic.v0_3 import Version
    from bioimageio.spec.model import v0_5

    version = Version(str(torch.__version__).partition("+")[0])
    source = packaged_source(spec)
    if source is None and spec.architecture == "onnx":
        raise ModelError("ONNX graphs are not packaged: their file goes as it is.")
    if source is None:
        place = folder / "weights_torchscript.pt"
        write_program(network, spec, place)
        described: FileDescr = describe_file(place)
        program = v0_5.TorchscriptWeightsDescr(
            source=described.source, sha256=described.sha256, pytorch_version=version
        )
        return {"torchscript": program}
    code, place = folder / source.name, folder / "weights.pt"
    code.write_text(source.text, "utf-8")
    torch.save({key: tensor.contiguous() for key, tensor in network.state_dict().items()}, place)
    described = describe_file(place)
    architecture = v0_5.ArchitectureFromFileDescr(
        source=describe_file(code).source,
        sha256=describe_file(code).sha256,
        callable=v0_5.Identifier(CALLABLE),
        kwargs=source.arguments,
    )
    state = v0_5.PytorchStateDictWeightsDescr(
        source=described.source,
        sha256=described.sha256,
        architecture=architecture,
        pytorch_version=version,
    )
    return {"pytorch_state_dict": state}


def _test_image(image: NDArray[Any], spec: ModelSpec) -> NDArray[Any]:
    """Check the test image, and bring it to ``(b, c, y, x)``."""
    if image.shape != sample_shape(spec):
        raise ModelError(
            f"The test image has the shape {image.shape}; the model needs {sample_shape(spec)}.",
            "Give one with as many channels, and at least as many rows and columns.",
        )
    eight_bit = spec.normalization == "divide_by_255"
    if eight_bit and image.dtype != np.uint8:
        raise ModelError(
            f"The test image holds {image.dtype}; the model takes 8-bit values.",
            "Give an 8-bit image.",
        )
    return image[None] if eight_bit else image[None].astype(np.float32)


def _inside(output: NDArray[np.float32], spec: ModelSpec) -> NDArray[Any]:
    """Return 0 where the test image is background, and the class or 1 elsewhere."""
    if spec.output != "classes":
        return np.asarray(output[0] > spec.threshold)
    if spec.background is None:
        return np.where(output.max(axis=0) > spec.threshold, output.argmax(axis=0) + 1, 0)
    best = output.argmax(axis=0)
    return np.where(best == spec.background, 0, best + 1)


@torch.inference_mode()
def _run(network: nn.Module, spec: ModelSpec, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute what the package gives for its test image."""
    whole = AnySizeProgram(network, **packaged_sides(spec)).eval()
    out = whole(torch.from_numpy(pixels))
    activation = outer_activation(spec)
    if activation == "sigmoid":
        out = out.sigmoid()
    elif activation == "softmax":
        out = out.softmax(dim=1)
    result: NDArray[np.float32] = out.float().numpy()
    return result
