"""Threads for what takes its time on the disk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

__all__ = ["Errands"]


class Errands:
    """Two threads for all of a viewer: journals do not wait until a large file is written."""

    def __init__(self) -> None:
        self.journals = ThreadPoolExecutor(1, "slicewise-journals")
        self.files = ThreadPoolExecutor(1, "slicewise-files")

    def end(self) -> None:
        """Take no more errands; the threads end when they have run the last one."""
        self.journals.shutdown(wait=False)
        self.files.shutdown(wait=False)
