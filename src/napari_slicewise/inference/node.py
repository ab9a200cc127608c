"""What a worker of a cluster must be and have, before it begins."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import torch

from napari_slicewise.errors import RequestError

__all__ = ["check_worker", "use_threads"]


def check_worker(client_version: str, paths: Iterable[str]) -> None:
    """Make sure that this worker is what the client takes it for.

    Parameters
    ----------
    client_version
        Of this package.
    paths
        Of files and folders that all nodes share.

    Raises
    ------
    RequestError
        When it has another version of this package, or other files.
    """
    host, own = socket.gethostname(), version("napari-slicewise")
    if own != client_version:
        raise RequestError(
            f"A worker on {host} has napari-slicewise {own}, the client {client_version}.",
            "Install the same version on all nodes.",
        )
    for path in paths:
        if not Path(path).exists():
            raise RequestError(
                f"A worker on {host} does not see {path}.",
                "Put the image, the model and the result where all nodes have the same paths.",
            )


def use_threads(threads: int | None) -> None:
    """Keep this process to some threads.

    torch is told. OpenVINO takes as many as the process has processors: where the system
    can say so, the process is given that many, other ones to each worker of a machine
    (by the number that a local cluster's worker is called).
    """
    if threads is None:
        return
    torch.set_num_threads(threads)
    _take_processors(threads)


@lru_cache(maxsize=1)
def _take_processors(threads: int) -> None:
    name = os.environ.get("SLICEWISE_WORKER_NUMBER", "")
    if not name.isdigit() or not hasattr(os, "sched_setaffinity"):
        return
    there = sorted(os.sched_getaffinity(0))
    first = int(name) * threads
    os.sched_setaffinity(0, {there[(first + step) % len(there)] for step in range(threads)})
