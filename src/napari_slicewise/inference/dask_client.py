"""The client of a dask cluster: one that is there, or one on this machine."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from napari_slicewise.errors import RequestError

__all__ = ["connect"]

_MOST_ANYWHERE = 8
_ANSWER_S = 30  # of a scheduler
_PATIENCE_S = 3600  # for the first worker


@contextmanager
def connect(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    """Yield a client of a dask cluster that is there, or of one on this machine.

    Parameters
    ----------
    scheduler
        Address of a scheduler, such as ``tcp://node1:8786``; None makes a cluster here.
    workers
        Processes of the cluster here.

    Raises
    ------
    RequestError
        When dask.distributed is not installed, or the scheduler does not answer.
    """
    if find_spec("distributed") is None:
        raise RequestError(
            "Working on several processes needs dask.distributed, which is not installed.",
            'pip install "napari-slicewise[cluster]"',
        )
    distributed: Any = import_module("distributed")
    # What dask logs about lost workers is told by the run itself, where it matters.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is not None:
        with _client_of(distributed, scheduler) as client:
            _wait_for_workers(client, scheduler)
            yield client
        return
    count = workers or 1
    most = max(_MOST_ANYWHERE, os.cpu_count() or 1)
    if count > most:
        raise RequestError(
            f"{count} workers are more than this machine's processors can use.",
            f"Choose --workers {os.cpu_count() or 1} or fewer.",
        )
    with (
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(_numbering_plugin(distributed))
        yield client


def _client_of(distributed: Any, scheduler: str) -> Any:
    """Return a client of a scheduler.

    Looks first whether anything answers there: dask tries again until its time is over.
    """
    try:
        place = distributed.comm.get_address_host_port(scheduler, strict=True)
        socket.create_connection(place, _ANSWER_S).close()
        return distributed.Client(scheduler, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise RequestError(
            f"There is no dask scheduler at {scheduler}.", "Is it running, and reachable?"
        ) from error


def _wait_for_workers(client: Any, scheduler: str) -> None:
    """Wait for the first worker, and say so: on a queue that may take long.

    Raises
    ------
    RequestError
        When none comes within an hour.
    """
    if client.scheduler_info(n_workers=-1)["workers"]:
        return
    print(f"slicewise: waiting for a worker to join {scheduler}", file=sys.stderr)
    try:
        client.wait_for_workers(1, timeout=_PATIENCE_S)
    except TimeoutError as error:
        raise RequestError(
            f"No worker has joined the scheduler at {scheduler}.", "Start workers for it first."
        ) from error


def _numbering_plugin(distributed: Any) -> Any:
    """Return what tells each worker of this machine its number, to choose its processors by."""

    class Numbering(distributed.WorkerPlugin):  # type: ignore[misc]
        name = "slicewise-number"

        def setup(self, worker: Any) -> None:
            os.environ["SLICEWISE_WORKER_NUMBER"] = str(worker.name)

    return Numbering()
