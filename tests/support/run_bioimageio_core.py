"""Run bioimageio.core on packages, in a process of its own: it leaves files and threads open.

    python run_bioimageio_core.py FOLDER

FOLDER holds folders with ``package.zip`` and perhaps ``image.npy``, ``(c, y, x)``. Beside them
it writes what the package's tests said (``core.json``) and what it predicts (``core.npy``).
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path


def main() -> None:
    warnings.simplefilter("ignore")
    import bioimageio.core
    import numpy as np

    for path in sorted(Path(sys.argv[1]).glob("*/package.zip")):
        summary = bioimageio.core.test_description(path, expected_type="model")
        said = {
            "status": summary.status,
            "tests": [detail.name for detail in summary.details],
            "errors": [error.msg for detail in summary.details for error in detail.errors],
        }
        path.with_name("core.json").write_text(json.dumps(said), "utf-8")
        image = path.with_name("image.npy")
        if image.is_file():
            # With its axes named: of a bare array it asks for one of the declared sizes.
            dims = tuple(map(bioimageio.core.AxisId, ("batch", "channel", "y", "x")))
            tensor = bioimageio.core.Tensor(np.load(image)[None], dims=dims)
            sample = bioimageio.core.predict(model=path, inputs=tensor)
            (tensor,) = sample.members.values()
            np.save(path.with_name("core.npy"), tensor.to_numpy()[0])


if __name__ == "__main__":
    main()
