"""OME-TIFF sets: which file, and which XML, stand for the file that was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_slicewise.errors import ImageError
from napari_slicewise.io.tiff_damage import explain_damage, short_name

__all__ = ["Located", "is_companion", "locate"]


@dataclass(frozen=True)
class Located:
    """Where the pixels and the metadata of an image are.

    Parameters
    ----------
    path
        The TIFF to open.
    xml
        OME-XML from a companion file; None where the TIFF holds its own.
    warnings
        What of the set is missing.
    """

    path: Path
    xml: str | None = None
    warnings: tuple[str, ...] = ()


def locate(path: Path, description: str = "") -> Located:
    """Find the file that stands for the whole set.

    Members of a set hold only ``BinaryOnly``, the name of the master or companion
    file; opened alone they would show one plane of the stack.

    Parameters
    ----------
    path
        A TIFF, or a ``.companion.ome`` file.
    description
        Image description of the TIFF's first page.

    Raises
    ------
    ImageError
        When a companion names no file that is there.
    """
    if is_companion(path):
        return _from_companion(path)
    if "BinaryOnly" not in description[:2000]:
        return Located(path)
    found = re.search(r'MetadataFile="([^"]+)"', description)
    master = path.with_name(Path(found[1]).name) if found else path
    if master == path or not master.is_file():
        said = f"{short_name(master)}, which describes the whole set, is missing"
        return Located(path, None, (f"{said}; only this file's planes are shown",))
    return _from_companion(master) if is_companion(master) else Located(master)


def is_companion(path: Path) -> bool:
    """Whether a file holds the OME-XML of images beside it."""
    return path.name.lower().endswith(".companion.ome")


def _from_companion(path: Path) -> Located:
    """Open a member of the set with the companion's XML."""
    with explain_damage(path, "open it"):
        xml = path.read_text(encoding="utf-8", errors="replace")
    names = [Path(name).name for name in re.findall(r'FileName="([^"]+)"', xml)]
    members = [path.with_name(name) for name in dict.fromkeys(names)]
    there = [member for member in members if member.is_file()]
    if not there:
        raise ImageError(
            f"None of the {len(members)} files that {short_name(path)} names is there.",
            "Keep the companion file in one folder with its images.",
        )
    missing = len(members) - len(there)
    lost = (f"{missing} of the set's {len(members)} files are missing",) if missing else ()
    return Located(there[0], xml, lost)
