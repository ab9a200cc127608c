"""What every test may count on: no settings file is touched, nothing is left running or open."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # settings in memory; must come before napari is imported
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="slicewise-config-")  # QSettings
os.environ["SLICEWISE_JOURNALS"] = tempfile.mkdtemp(prefix="slicewise-journals-")  # of edits
os.environ["SLICEWISE_LEARNING"] = tempfile.mkdtemp(prefix="slicewise-learning-")  # trainings
os.environ["SLICEWISE_MODELS"] = tempfile.mkdtemp(prefix="slicewise-models-")  # of the user
os.environ.setdefault("QT_API", "pyqt6")

import psutil
import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # Begun in the background of a script: the programs that the tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]

# Threads that belong to libraries, are made once and stay: dask's pool, zarr's event loop and
# its pool, tifffile's pool, Qt's own threads (as Python sees them), pytest-timeout's watch.
LASTING_THREADS = (
    "ThreadPoolExecutor",
    "zarr",
    "asyncio",
    "Dummy",
    "pytest_timeout",
    "tqdm",
    "fsspec",
    "QtThread",
)
PATIENCE_S = 3.0


def pytest_unconfigure() -> None:
    """Remove the settings that the tests wrote."""
    shutil.rmtree(os.environ["XDG_CONFIG_HOME"], ignore_errors=True)
    shutil.rmtree(os.environ["SLICEWISE_JOURNALS"], ignore_errors=True)
    shutil.rmtree(os.environ["SLICEWISE_LEARNING"], ignore_errors=True)
    shutil.rmtree(os.environ["SLICEWISE_MODELS"], ignore_errors=True)


def running_threads() -> dict[int, str]:
    """Threads that someone must stop."""
    return {
        id(thread): thread.name
        for thread in threading.enumerate()
        if not thread.name.startswith(LASTING_THREADS)
    }


def child_processes() -> dict[int, str]:
    """Child processes but the one that multiprocessing keeps for all."""
    found = {}
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in command:
                found[child.pid] = command
        except psutil.Error:
            continue  # it ended while being looked at
    return found


def open_files() -> dict[int, str]:
    """Regular files that are open, but those of the installation (fonts, data of packages)."""
    try:
        files = psutil.Process().open_files()
    except psutil.Error:
        return {}
    elsewhere = ("/usr/", "/proc/", "/dev/")
    paths = {file.path for file in files if not file.path.startswith(elsewhere)}
    return {hash(path): path for path in paths if "site-packages" not in path}


def leaked(look: Callable[[], dict[int, str]], before: dict[int, str]) -> list[str]:
    """What is there that was not there before, after giving it time to end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        left = [name for key, name in look().items() if key not in before]
        if not left or time.monotonic() > deadline:
            return sorted(left)
        gc.collect()
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or an open file.

    What a session or module fixture keeps was there before the test, and may stay.
    """
    looks = {"thread": running_threads, "child process": child_processes, "open file": open_files}
    before = {what: look() for what, look in looks.items()}
    yield
    request.node.funcargs.clear()  # what the test was given, layers with their files, may go now
    left = {what: leaked(look, before[what]) for what, look in looks.items()}
    found = [f"{what} {name}" for what, names in left.items() for name in names]
    assert not found, f"left behind by {request.node.name}: {', '.join(found)}"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder with pyproject.toml."""
    return REPOSITORY
