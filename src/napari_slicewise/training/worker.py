"""The worker process as the desktop starts it: runs, and between them a training.

It stands here because of the order of imports: ``training`` knows ``inference``, and not the
reverse.
"""

from __future__ import annotations

from napari_slicewise.inference.worker import serve_desktop
from napari_slicewise.training.desk import LearningDesk

__all__ = ["main"]


def main() -> None:
    """Serve the process that started this one, over its standard streams."""
    serve_desktop(lambda channel: LearningDesk(channel.send))
