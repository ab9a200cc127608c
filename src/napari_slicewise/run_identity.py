"""What makes a run the same run: the image, the model, the settings and the version."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_slicewise.inference.loading import LoadedModel
from napari_slicewise.inference.request import Request
from napari_slicewise.inference.resume_in_rounds import needs_rounds
from napari_slicewise.io.fingerprint import fingerprint
from napari_slicewise.io.kept_draft import draft_place
from napari_slicewise.io.plain_values import plain

__all__ = ["run_identity"]

_NO_MATTER = {
    "func",
    "inputs",
    "model",
    "objects",
    "out",
    "quiet",
    "report",
    "restart",
    "run",
    "scheduler",
    "threads",
    "trust_code",
    "workers",
}
"""Options that change no pixel of the result, and those that are digested instead."""


def run_identity(
    options: argparse.Namespace,
    request: Request,
    model: LoadedModel,
    members: Sequence[Path],
    out: Path,
) -> dict[str, Any]:
    """Return all that decides a result, as plain values.

    Parameters
    ----------
    options
        The options of the command.
    request
        What they ask for of this image.
    model
        The model.
    members
        The files of the image, the one that was named first.
    out
        The result; where it lies within the image's folder, it is no part of the image.
    """
    meaning = blake2b(model.spec.to_json().encode(), digest_size=8).hexdigest()
    settings = {
        name: plain(value) for name, value in vars(options).items() if name not in _NO_MATTER
    }
    # Both ways give one result, but what they leave half-done is not the same.
    many = getattr(options, "workers", None) or getattr(options, "scheduler", None)
    in_rounds = needs_rounds(request) or (request.output == "labels" and many)
    settings["numbering"] = "in rounds" if in_rounds else "in order"
    return {
        "image": str(members[0].resolve()),
        "state of the image": fingerprint(members, [out, draft_place(out)]),
        "model": f"{model.sha256}-{meaning}",
        "version": version("napari-slicewise"),
        **settings,
    }
