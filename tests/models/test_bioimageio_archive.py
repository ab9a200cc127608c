"""Packages that are broken or made to harm: refused in time, and nothing leaves its place."""

import io
import os
import time
import zipfile
from pathlib import Path

import pytest
from models.foreign_networks import CourseUNet, randomise
from support.packages import write_package, zipped

from napari_slicewise.errors import ModelError
from napari_slicewise.models.bioimageio_archive import PackageFiles, is_package
from napari_slicewise.models.bioimageio_import import read_package
from napari_slicewise.models.zoo import resolve_model, thumbnail


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_package(tmp_path_factory.mktemp("p") / "good", randomise(CourseUNet(1, 1, (4, 8))))


@pytest.fixture(scope="module", autouse=True)
def _library(folder):
    """Loading bioimageio.spec takes seconds, and is none of what is timed."""
    read_package(folder)


@pytest.fixture(scope="module")
def good(folder):
    return zipped(folder)


def archive_with(path: Path, good: Path, entries: dict) -> Path:
    """Write the good package again, with more entries."""
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        for name, data in entries.items():
            target.writestr(name, data, zipfile.ZIP_DEFLATED)
    return path


def refused(path: Path, words: str) -> ModelError:
    began = time.monotonic()
    with pytest.raises(ModelError, match=words) as caught:
        read_package(path)
    assert time.monotonic() - began < 5.0  # what the issue grants
    assert caught.value.hint
    assert thumbnail(path) is None
    return caught.value


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "..\\evil", "C:\\evil", "a/../../b"])
def test_entries_that_point_elsewhere_are_refused(tmp_path, good, name):
    refused(archive_with(tmp_path / "m.zip", good, {name: b"x"}), "points outside")
    assert not any(p.name == "evil.txt" for p in tmp_path.parent.rglob("evil*"))


def test_description_that_names_a_file_elsewhere_reads_nothing_there(tmp_path, folder):
    own = tmp_path / "m"
    own.mkdir()
    for file in folder.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    outside = tmp_path / "weights.pt"
    outside.write_bytes((folder / "weights.pt").read_bytes())
    text = (own / "rdf.yaml").read_text("utf-8")
    (own / "rdf.yaml").write_text(text.replace("source: weights.pt", "source: ../weights.pt"))
    refused(own / "rdf.yaml", "outside of the package")
    (own / "weights.pt").unlink()
    (own / "weights.pt").symlink_to(outside)
    (own / "rdf.yaml").write_text(text)
    refused(own / "rdf.yaml", "outside of the package")


def test_links_in_an_archive_are_refused(tmp_path, good):
    path = tmp_path / "m.zip"
    archive_with(path, good, {})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refused(path, "is a link")


def test_bomb_is_refused_by_what_it_claims(tmp_path, good):
    bomb = archive_with(tmp_path / "m.zip", good, {"zeros.npy": bytes(300 << 20)})
    assert bomb.stat().st_size < 1 << 20
    refused(bomb, "claims 314572800 bytes")


def test_long_list_of_entries_is_refused(tmp_path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(6000):
            archive.writestr(f"{number}", b"")
        archive.writestr("rdf.yaml", b"type: model")
    refused(path, "6001 entries")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_truncated_archives_are_refused(tmp_path, good, kept):
    path = tmp_path / "m.zip"
    data = good.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert is_package(path)
    refused(path, "broken or incomplete")


def test_damaged_entry_is_named(tmp_path, good):
    path = tmp_path / "m.zip"
    data = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        entry = archive.getinfo("weights.pt")
    middle = entry.header_offset + entry.compress_size // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)
    refused(path, "'weights.pt' is damaged")


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "broken"), (b"text, no archive", "broken"), (b"PK\x05\x06" + bytes(18), "no descr")],
    ids=["empty", "text", "no entries"],
)
def test_what_is_no_archive_is_refused(tmp_path, data, words):
    path = tmp_path / "m.zip"
    path.write_bytes(data)
    refused(path, words)


def laughing(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, levels):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    return "\n".join(lines) + "\ntype: model\nformat_version: 0.5.3\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (laughing(12), "more than 20000 values"),
        ("[" * 5000, "too deeply"),
        ("a: [" * 60 + "]" * 60, "too deeply|no YAML"),
        ("type: model\n" + "# filling\n" * 20_000, "the most for that"),
        ("\x00\x01", "no YAML"),
        ("just text", "no mapping"),
        ("- a\n- b", "no mapping"),
        ("!!python/object/apply:os.system ['touch canary']", "no YAML|no mapping"),
    ],
    ids=["laughs", "brackets", "deep", "long", "control", "text", "list", "object"],
)
def test_descriptions_made_to_harm_are_refused(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", text)
    refused(path, words)
    assert not (tmp_path / "canary").exists()


def test_files_are_read_whole_and_only_up_to_what_they_may_have(good):
    with PackageFiles(good) as files:
        assert files.description == "rdf.yaml"
        assert b"0.4.9" in files.read("rdf.yaml", 1 << 20)
        with pytest.raises(ModelError, match="10 are the most"):
            files.read("rdf.yaml", 10)
        with pytest.raises(ModelError, match="'none' is missing"):
            files.read("none", 10)


def test_checkpoints_and_folders_of_images_are_no_packages(tmp_path):
    import torch

    torch.save({"a": torch.zeros(2)}, tmp_path / "weights.pt")
    assert not is_package(tmp_path / "weights.pt")
    torch.save({"a": torch.zeros(2)}, tmp_path / "weights.zip")
    assert not is_package(tmp_path / "weights.zip")
    assert not is_package(tmp_path)
    with pytest.raises(ModelError, match="is a folder"):
        resolve_model(str(tmp_path))


def test_covers_become_small_pictures(tmp_path, folder):
    from PIL import Image

    own = tmp_path / "m"
    own.mkdir()
    for file in folder.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    Image.new("RGB", (600, 300), (200, 30, 40)).save(own / "cover.png")
    for path in (own / "rdf.yaml", zipped(own)):
        with Image.open(io.BytesIO(thumbnail(path))) as picture:
            assert (picture.format, picture.size) == ("PNG", (96, 48))
            assert picture.convert("RGB").getpixel((5, 5)) == (200, 30, 40)


def test_cover_that_is_no_picture_is_passed_over(tmp_path, folder):
    own = tmp_path / "m"
    own.mkdir()
    for file in folder.iterdir():
        (own / file.name).write_bytes(file.read_bytes())
    (own / "cover.png").write_bytes(os.urandom(2000))
    assert thumbnail(own / "rdf.yaml") is None
