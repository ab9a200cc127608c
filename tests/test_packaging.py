"""A wheel and an sdist are built, and the wheel works in an environment of its own.

The environment is new and holds nothing but the wheel. What the wheel depends on is lent
to it from the tests' environment, link by link, with every trace of this project left out:
installing a gigabyte again would prove nothing more about this package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

LARGEST_WHEEL = 16_000_000
NOT_SOURCE = (
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info",
    "build", "dist", "demo-output", "training-runs",
)  # fmt: skip
VISIT = Path(__file__).parent / "support" / "visit_installed_plugin.py"


@pytest.fixture(scope="module")
def dists(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    shutil.copytree(repository, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    # With the installed setuptools: a test must not need the network.
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    run = subprocess.run([*build, str(source)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(dists: Path) -> Path:
    (found,) = dists.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def lone_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel, and its dependencies on loan."""
    folder = tmp_path_factory.mktemp("lone")
    venv.create(folder / "env", with_pip=False)
    places = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    python = Path(sysconfig.get_path("scripts", "venv", vars=places)) / Path(sys.executable).name
    site = Path(sysconfig.get_path("purelib", "venv", vars=places))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    loan = folder / "loan"
    loan.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "napari_slicewise" not in entry.name and "__editable__" not in entry.name:
            (loan / entry.name).symlink_to(entry)
    (site / "loan.pth").write_text(f"{loan}\n", "utf-8")
    return python


def test_the_wheel_is_small_and_whole(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_WHEEL
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "napari_slicewise/__init__.py",
        "napari_slicewise/py.typed",
        "napari_slicewise/models/weights/nuclei.safetensors",
        "napari_slicewise_manifest/napari.yaml",
        "napari_slicewise_samples/membranes.tif",
        "napari_slicewise_samples/membranes_labels.tif",
        "napari_slicewise_samples/nuclei3d.tif",
        "napari_slicewise_samples/nuclei3d_labels.tif",
    } <= names
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"napari_slicewise", "napari_slicewise_manifest", "napari_slicewise_samples"}


def test_every_module_of_the_source_is_in_the_wheel(wheel: Path, repository: Path) -> None:
    # ``packages`` in pyproject.toml is a list kept by hand: a folder may be missing from it.
    modules = (repository / "src").rglob("napari_slicewise/**/*.py")
    wanted = {path.relative_to(repository / "src").as_posix() for path in modules}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


def test_the_sdist_holds_what_a_build_needs(dists: Path) -> None:
    (sdist,) = dists.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {
        "pyproject.toml", "napari.yaml", "README.md", "LICENSE",
        "sample_data/nuclei3d.tif", "src/napari_slicewise/__init__.py",
    } <= names  # fmt: skip


@pytest.fixture(scope="module")
def visit(lone_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What napari finds in the lone environment: see ``support/visit_installed_plugin.py``."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    run = subprocess.run(
        [lone_python, "-W", "ignore", str(VISIT)],
        cwd=elsewhere, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-4000:]
    found = json.loads(run.stdout.strip().splitlines()[-1])
    assert isinstance(found, dict)
    return found


def test_the_lone_environment_runs_the_wheel(
    visit: dict[str, object], lone_python: Path, repository: Path
) -> None:
    for place in (visit["package"], visit["manifest"]):
        assert Path(str(place)).is_relative_to(lone_python.parents[1])
        assert not Path(str(place)).is_relative_to(repository)


def test_the_installed_plugin_shows_its_menu_entries(visit: dict[str, object]) -> None:
    assert visit["segment_menu"] == ["napari-slicewise.segment"]
    assert visit["widgets"] == ["Segment"]
    assert set(visit["sample_menu"]) >= {  # type: ignore[call-overload]
        "napari-slicewise.nuclei3d", "napari-slicewise.membranes", "napari-slicewise.tissue",
    }  # fmt: skip


def test_the_installed_samples_and_reader_work(visit: dict[str, object]) -> None:
    assert visit["sample_shapes"] == [[32, 256, 256], [32, 256, 256]]
    assert visit["read_shape"] == [8, 256, 256]
    assert visit["read_units"] == ["nanometer"] * 3


def test_the_installed_plugin_keeps_torch_out_of_napari(visit: dict[str, object]) -> None:
    assert visit["torch_loaded"] is False


def test_npe2_validates_the_installed_manifest(lone_python: Path, tmp_path: Path) -> None:
    command = [lone_python, "-W", "ignore", "-m", "npe2", "validate", "napari-slicewise"]
    run = subprocess.run(
        [*command, "--imports"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_editable_install_reads_the_manifest_of_the_repository(repository: Path) -> None:
    for module, folder in (
        ("napari_slicewise_manifest", repository),
        ("napari_slicewise_samples", repository / "sample_data"),
    ):
        spec = find_spec(module)
        assert spec is not None
        assert str(folder) in list(spec.submodule_search_locations or [])
