"""Exported packages pass bioimageio.core's own tests, run there as here, and come back the same."""

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_slicewise import segment
from napari_slicewise.api import SegmentRun, load_model
from napari_slicewise.errors import ModelError, OutputError
from napari_slicewise.inference.normalize import WIDE_CLIP
from napari_slicewise.inference.request import Request
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.architectures import padded_spec
from napari_slicewise.models.bioimageio_archive import PackageFiles
from napari_slicewise.models.bioimageio_description import PERCENTILE_CLIP
from napari_slicewise.models.bioimageio_export import (
    PackageOptions,
    export_package,
    sample_shape,
)
from napari_slicewise.models.bioimageio_network import packaged_source, standalone
from napari_slicewise.models.bioimageio_reading import read_description
from napari_slicewise.models.checkpoint import ARCHITECTURES, write_checkpoint
from napari_slicewise.models.spec import ModelSpec

ODD = (211, 157)
VALID = {"padding": "valid", "stride": 4, "remainder": 0, "margin": 20, "batch_norm": False}
MODELS = {
    "one logit": ModelSpec("one", in_channels=1, first_filters=4),
    "distance": ModelSpec(
        "two", in_channels=1, out_channels=2, first_filters=4, output="foreground_distance"
    ),
    "boundary": ModelSpec(
        "three", in_channels=2, out_channels=2, first_filters=4, output="foreground_boundary",
        normalization="z_score", pixel_um=0.25,
    ),
    "classes": ModelSpec(
        "2015", architecture="unet_2015", out_channels=3, first_filters=4, widths=(4, 6, 8),
        output="classes", normalization="divide_by_255", class_names=("none", "cell", "rim"),
        **VALID,
    ),
    "compact": ModelSpec(
        "sixty", architecture="unet_compact", in_channels=3, first_filters=4, widths=(4, 6, 8),
        last_relu=True, normalization="divide_by_255", **VALID,
    ),
    "each by itself": replace(
        padded_spec(
            ModelSpec(
                "padded", architecture="unet_padded", in_channels=1, out_channels=3,
                first_filters=4, widths=(4, 5, 6, 7, 8, 9, 6, 7, 4, 5), batch_norm=False,
                upsampling="bilinear",
            ),
            2,
        ),
        output="classes", activation="sigmoid", background=None,
        normalization="linear", gain=(0.001,), offset=(-0.5,),
    ),
}  # fmt: skip


def write_model(path, spec):
    """Random weights, with batch norm that has seen data, and a head that is on in half of it."""
    torch.manual_seed(1)
    network = ARCHITECTURES[spec.architecture](spec)
    noise = torch.randn(2, spec.in_channels, 68 + spec.remainder, 68 + spec.remainder)
    pixels = torch.nn.functional.avg_pool2d(noise, 5, stride=1) * 5
    with torch.no_grad():
        for _ in range(3):
            network(pixels)
        network.eval()
        *_, weight, bias = network.state_dict().values()
        weight.mul_(3.0 / network(pixels).std(dim=(0, 2, 3)).view(-1, 1, 1, 1))
        bias.sub_(network(pixels).transpose(0, 1).flatten(1).median(dim=1).values)
    write_checkpoint(path, network.state_dict(), replace(spec, licence="CC0-1.0"))
    return path


def picture(spec, shape, seed=2):
    """Smooth blobs, ``(c, y, x)``, in the type that the model's pixels have."""
    rng = np.random.default_rng(seed)
    blobs = gaussian_filter(rng.normal(size=(spec.in_channels, *shape)), (0, 3, 3))
    scaled = (blobs - blobs.min()) / np.ptp(blobs)
    if spec.normalization == "divide_by_255":
        return (scaled * 255).astype(np.uint8)
    return (scaled * 3000 + 200).astype(np.uint16)


def package(folder, name, options=None):
    """Write a model of the table as our own file, and as a package beside it."""
    spec = MODELS[name]
    folder.mkdir(exist_ok=True)
    weights = write_model(folder / f"{spec.name}.safetensors", spec)
    model = load_model(weights)
    path = folder / "package.zip"
    image = picture(spec, sample_shape(spec)[1:])
    export_package(path, model.network, model.spec, image, options)
    return weights, path


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Every model of the table, exported; and one with a halo."""
    folder = tmp_path_factory.mktemp("packages")
    made = {name: package(folder / name, name) for name in MODELS}
    for name, spec in MODELS.items():
        np.save(folder / name / "image.npy", picture(spec, ODD, seed=9))
    made["halo"] = package(folder / "halo", "one logit", PackageOptions(halo=True))
    return made


@pytest.fixture(scope="module")
def core(packages, repository):
    """What bioimageio.core said of each package, and what it predicted."""
    folder = packages["halo"][1].parents[1]
    script = repository / "tests" / "support" / "run_bioimageio_core.py"
    run = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return {
        name: (
            json.loads((folder / name / "core.json").read_text("utf-8")),
            np.load(folder / name / "core.npy") if name != "halo" else None,
        )
        for name in packages
    }


def activations(model, image):
    """What our Runner computes, ``(head, y, x)``."""
    request = Request(
        model="it", indices=((),), output="activations", device="cpu", precision="float32"
    )
    source = ArraySource(image, (1, 2), 0)
    (result,) = SegmentRun(request, source, load_model(model))
    return result.values


@pytest.mark.parametrize("name", [*MODELS, "halo"])
def test_package_passes_the_tests_of_bioimageio_core(core, name):
    said, _ = core[name]
    assert said["status"] == "passed", said["errors"]
    tests = " ".join(said["tests"])
    assert "Reproduce test outputs" in tests
    assert "batch_size: 2 and size parameter n: 2" in tests


@pytest.mark.parametrize("name", MODELS)
def test_bioimageio_core_gives_our_output_on_a_whole_image_of_odd_size(packages, core, name):
    spec, (weights, _) = MODELS[name], packages[name]
    ours, theirs = activations(weights, picture(spec, ODD, seed=9)), core[name][1]
    if spec.background is None:
        theirs = np.concatenate([1 - theirs.max(axis=0, keepdims=True), theirs])
    assert theirs.shape == ours.shape
    assert ours[0].std() > 1e-2
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("output", ["labels", "classes"])
@pytest.mark.parametrize("name", MODELS)
def test_read_back_it_gives_the_same_labels(packages, tmp_path, output, name):
    spec, (weights, path) = MODELS[name], packages[name]
    image = np.stack([picture(spec, (120, 90), seed) for seed in range(3)], axis=1)
    ours = segment(image, str(weights), channel_axis=0, output=output, device="cpu")
    back = segment(image, str(path), channel_axis=0, output=output, device="cpu")
    assert ours.max() > 0
    np.testing.assert_array_equal(ours, back)
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    again = segment(image, str(folder), channel_axis=0, output=output, device="cpu")
    np.testing.assert_array_equal(ours, again)


@pytest.mark.parametrize("name", MODELS)
def test_read_back_the_card_is_the_models(packages, name):
    assert load_model(packages[name][1]).spec == replace(MODELS[name], licence="CC0-1.0")


def test_card_that_the_description_contradicts_is_not_believed(tmp_path):
    _, path = package(tmp_path, "one logit")
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    description = yaml.safe_load((folder / "rdf.yaml").read_text("utf-8"))
    for step in description["inputs"][0]["preprocessing"]:
        if step["id"] == "scale_range":
            step["kwargs"]["min_percentile"] = 40.0
    del description["inputs"][0]["test_tensor"]
    (folder / "rdf.yaml").write_text(yaml.safe_dump(description), "utf-8")
    assert load_model(folder).spec.percentiles == (40.0, 99.8)


def test_packaged_source_needs_torch_and_nothing_of_this_project(tmp_path):
    lines = ["import sys", "sys.modules['napari_slicewise'] = None", "import torch"]
    lines.append("sys.path.insert(0, sys.argv[1])")
    for spec in MODELS.values():
        source = packaged_source(spec)
        (tmp_path / source.name).write_text(source.text, "utf-8")
        lines += [
            f"import {spec.architecture} as own",
            f"network = own.PackagedNetwork(**{source.arguments!r}).eval()",
            f"out = network(torch.rand(1, {spec.in_channels}, 45, 51))",
            f"assert out.shape == (1, {spec.out_channels}, 45, 51), out.shape",
        ]
    subprocess.run([sys.executable, "-c", "\n".join(lines), str(tmp_path)], check=True)


def test_source_that_needs_more_of_this_project_is_no_single_file():
    assert "napari" not in standalone("from napari_slicewise.x import T\n\ndef f(a: T) -> T: ...\n")
    with pytest.raises(ModelError, match="needs T"):
        standalone("from napari_slicewise.x import T\n\nvalue = T()\n")


def test_halo_is_declared_where_it_is_asked_for(packages):
    for name, halos in (("halo", [112, 112]), ("one logit", [])):
        with PackageFiles(packages[name][1]) as files:
            described, _ = read_description(files)
        axes = described.outputs[0].axes
        assert [axis.halo for axis in axes if hasattr(axis, "halo")] == halos


def test_package_says_who_made_it_and_what_to_cite(tmp_path):
    options = PackageOptions(
        authors=("A. Person",), card="# Mine\n\nSee (10.1038/s41592-019-0612-7)."
    )
    _, path = package(tmp_path, "boundary", options)
    with PackageFiles(path) as files:
        described, _ = read_description(files)
    assert [author.name for author in described.authors] == ["A. Person"]
    cited = {str(entry.doi) for entry in described.cite}
    assert cited == {"10.1007/978-3-319-24574-4_28", "10.1038/s41592-019-0612-7"}
    assert str(described.license) == "CC0-1.0"
    assert [axis.scale for axis in described.inputs[0].axes if axis.type == "space"] == [0.25, 0.25]
    with zipfile.ZipFile(path) as archive:
        assert "# Mine" in archive.read("README.md").decode()
        cover = archive.read("cover.png")
    with Image.open(io.BytesIO(cover)) as picture_:
        assert picture_.width == 2 * picture_.height


def test_file_that_is_there_is_replaced_only_on_request(tmp_path):
    weights, path = package(tmp_path, "one logit")
    model = load_model(weights)
    image = picture(model.spec, sample_shape(model.spec)[1:])
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already") as caught:
        export_package(path, model.network, model.spec, image)
    assert "--overwrite" in caught.value.hint
    assert path.read_bytes() == before
    with pytest.raises(OutputError, match="is the input"):
        export_package(weights, model.network, model.spec, image, inputs=[weights], overwrite=True)
    path.write_bytes(b"old")
    export_package(path, model.network, model.spec, image, overwrite=True)
    assert len(path.read_bytes()) == pytest.approx(len(before), rel=0.01)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.safetensors", "package.zip"]


def test_failed_export_leaves_what_was_there(tmp_path, monkeypatch):
    weights = write_model(tmp_path / "m.safetensors", MODELS["one logit"])
    model = load_model(weights)
    path = tmp_path / "package.zip"
    path.write_bytes(b"old")
    with pytest.raises(ModelError, match="test image has the shape"):
        export_package(path, model.network, model.spec, np.zeros((1, 5, 5)), overwrite=True)
    assert path.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.safetensors", "package.zip"]


def test_inference_and_packages_clip_percentiles_alike():
    assert PERCENTILE_CLIP == WIDE_CLIP
