"""The rules of OME-Zarr 0.4 and 0.5, as the models of yaozarrs know them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

__all__ = ["broken_rules"]


def broken_rules(ome: Mapping[str, Any], version: str) -> list[tuple[tuple[str, ...], str]]:
    """Say where metadata break the rules: the place, and what is wrong there.

    Parameters
    ----------
    ome
        The metadata of OME-Zarr: the attributes of a group in 0.4, their ``ome`` in 0.5.
    version
        Version of the format; of others nothing is known.
    """
    if version not in ("0.4", "0.5"):
        return []
    from pydantic import TypeAdapter, ValidationError
    from yaozarrs import v04, v05

    adapter: TypeAdapter[Any] = TypeAdapter(
        v04.OMEZarrGroupJSON if version == "0.4" else v05.OMEMetadata
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units outside of the list
            adapter.validate_python(dict(ome))
    except ValidationError as error:
        return [
            (tuple(str(part) for part in entry["loc"]), str(entry["msg"]).split("\n")[0])
            for entry in error.errors()
        ]
    return []
