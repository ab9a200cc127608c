"""OpenVINO, NNCF and ONNX Runtime, imported so that they report nothing to their maker.

The first two send an event through ``openvino_telemetry`` on import and on use, OpenVINO already
on ``import openvino``, unless the user knew to opt out. Both do without where that
package is missing, so it is hidden from them. ONNX Runtime (1.32, on Linux too) looks for
an environment variable when it is imported, and else opens a database in the user's cache.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

__all__ = ["import_nncf", "import_onnxruntime", "import_openvino"]

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """Return the package ``openvino``."""
    if "openvino" not in sys.modules:
        with _without_telemetry():
            import openvino
    import openvino

    return openvino


def import_nncf() -> Any:
    """Return the package ``nncf``, its log off.

    It makes its own class that of all loggers made later: taken back here.
    """
    import_openvino()
    if "nncf" not in sys.modules:
        logger_class = logging.getLoggerClass()
        try:
            with _without_telemetry():
                import nncf
        finally:
            logging.setLoggerClass(logger_class)
        logging.getLogger("nncf").setLevel(logging.CRITICAL)
    import nncf
    import nncf.errors

    return nncf


def import_onnxruntime() -> Any:
    """Return the package ``onnxruntime``."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # what the user has set stays
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]

    return onnxruntime


@contextlib.contextmanager
def _without_telemetry() -> Iterator[None]:
    """Let imports find no telemetry; warnings of packages at import are not the user's."""
    missing = object()
    kept: Any = sys.modules.get(_TELEMETRY, missing)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        del sys.modules[_TELEMETRY]
        if kept is not missing:
            sys.modules[_TELEMETRY] = kept
