"""The house stands as docs/architecture.md says: who imports whom, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "src" / "napari_slicewise"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Each may import what has a smaller number, and its own folder.
LAYERS = {
    "errors": 0,
    "geometry": 1,
    "io": 2,
    "evaluation": 3,
    "instances": 3,
    "editing": 3,
    "models": 3,
    "inference": 4,
    "training": 5,
    "cluster": 5,
    "run_identity": 5,
    "api": 5,
    "app": 6,
    "cli_request": 6,
    "cli_convert": 6,
    "cli_tables": 6,
    "cli_models": 6,
    "cli_train": 6,
    "cli_evaluate": 6,
    "cli_learning": 7,
    "cli_segment": 7,
    "cli": 8,
    "widgets": 8,
}
TORCH_FOLDERS = {"models", "inference", "training"}
TORCH_FREE = {  # of those folders: what napari's process may import
    "models.answers",
    "models.bioimageio_archive",
    "models.bioimageio_cover",
    "models.consent",
    "models.questions",
    "models.spec",
    "models.zoo",
    "inference.channels",
    "inference.request",
    "inference.client",
    "inference.memory",
    "inference.messages",
    "inference.normalize",
    "inference.pixel_size",
    "training.kept_training",
    "training.messages",
    "training.request",
}
DESKTOP_LIBRARIES = {"qtpy", "PyQt6", "PySide6", "magicgui", "superqt", "napari", "vispy"}
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40


def dotted(path: Path) -> str:
    """``inference.plan`` for src/napari_slicewise/inference/plan.py; a package by its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Every module that a file names in an import, in functions and type checking too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            # ``from napari_slicewise.models import spec`` names a module too.
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def house_imports(path: Path) -> set[str]:
    """The modules of this package that a file imports, without the package's name."""
    known = {dotted(module) for module in MODULES} - {""}
    named = {name.removeprefix("napari_slicewise.") for name in imports_of(path)}
    return named & known


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down_the_house(path: Path) -> None:
    own = dotted(path).split(".")[0]
    if own == "":
        return  # __init__ hands out names of api, on first use
    assert own in LAYERS, f"{own} has no place in the house: add it to LAYERS and the docs"
    for name in house_imports(path):
        other = name.split(".")[0]
        assert other == own or LAYERS[other] < LAYERS[own], f"{dotted(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_torch_and_qt_stay_in_their_rooms(path: Path) -> None:
    name, room = dotted(path), dotted(path).split(".")[0]
    libraries = {imported.split(".")[0] for imported in imports_of(path)}
    if room not in TORCH_FOLDERS or name in TORCH_FREE:
        assert "torch" not in libraries, f"{name} imports torch"
        assert "safetensors.torch" not in imports_of(path), f"{name} imports torch"
    if room != "widgets":
        assert not libraries & DESKTOP_LIBRARIES, f"{name} imports {libraries & DESKTOP_LIBRARIES}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_the_desktop_knows_only_torch_free_modules(path: Path) -> None:
    name = dotted(path)
    if name.split(".")[0] not in {"app", "widgets"} and name not in TORCH_FREE:
        return
    of_torch_rooms = {i for i in house_imports(path) if i.split(".")[0] in TORCH_FOLDERS}
    assert of_torch_rooms <= TORCH_FREE | TORCH_FOLDERS, f"{name}: {of_torch_rooms - TORCH_FREE}"


def own_files() -> list[Path]:
    folders = ("src", "tests", "scripts", "benchmarks", "sample_data")
    return sorted(p for folder in folders for p in (REPOSITORY / folder).rglob("*.py"))


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in own_files()}
    long = {str(p.relative_to(REPOSITORY)): n for p, n in lengths.items() if n > MAX_FILE_LINES}
    assert not long


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, the docstring left out."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        text = node.body[0]
        lines -= (text.end_lineno or text.lineno) - text.lineno + 1
    return lines


def test_no_function_is_longer_than_40_lines() -> None:
    long = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}: {code_lines(node)} lines"
        for path in own_files()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and code_lines(node) > MAX_FUNCTION_LINES
    ]
    assert not long


def modules_loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running ``statement``."""
    script = f"import sys; {statement}; print(*sys.modules, sep='\\n')"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    return {line.split(".")[0] for line in run.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_slicewise",
        "import napari_slicewise.io.tiff_reader",
        "import napari_slicewise.cli",
    ],
)
def test_importing_loads_neither_torch_nor_qt(statement: str) -> None:
    heavy = {"torch", "qtpy", "vispy", "napari", "PyQt6", "PySide6"}
    assert not modules_loaded_by(statement) & heavy


def test_what_the_desktop_imports_loads_no_torch() -> None:
    names = [
        f"napari_slicewise.{name}"
        for name in map(dotted, MODULES)
        if name in TORCH_FREE or name.split(".")[0] in {"app", "io", "instances", "editing"}
    ]
    loaded = modules_loaded_by(f"import {', '.join(names)}")
    assert not loaded & {"torch", "qtpy", "vispy", "napari", "PyQt6", "PySide6"}
