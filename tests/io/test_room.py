"""What is free, and where large temporary files go: never into a file system that is memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_slicewise.io import room


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    def write(*lines):
        table = tmp_path / "mounts"
        table.write_text("".join(f"{line}\n" for line in lines))
        monkeypatch.setattr(room, "_MOUNTS", table)

    return write


def test_a_folder_belongs_to_the_innermost_mount_above_it(mounts):
    mounts(
        "/dev/root / ext4 rw 0 0",
        "tmpfs /data tmpfs rw 0 0",
        "/dev/b /data/disk ext4 rw 0 0",
        r"tmpfs /with\040blank tmpfs rw 0 0",
    )
    assert room.in_memory(Path("/data/x"))
    assert not room.in_memory(Path("/data/disk/x"))
    assert not room.in_memory(Path("/database"))
    assert room.in_memory(Path("/with blank/x"))


def test_without_a_table_of_mounts_nothing_is_said_to_be_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_MOUNTS", tmp_path / "none")
    assert not room.in_memory(tmp_path)


def test_scratch_files_go_elsewhere_when_the_temporary_folder_is_memory(
    mounts, tmp_path, monkeypatch
):
    usual, cache = tmp_path / "tmp", tmp_path / "cache"
    usual.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(usual))
    monkeypatch.setattr(room, "user_cache_path", lambda _name: cache)
    mounts("/dev/root / ext4 rw 0 0")
    assert room.scratch_place() == usual
    mounts("/dev/root / ext4 rw 0 0", f"tmpfs {usual} tmpfs rw 0 0", "tmpfs /var tmpfs rw 0 0")
    assert room.scratch_place() == cache
    assert cache.is_dir()
    mounts("tmpfs / tmpfs rw 0 0")  # a machine without a disk: better there than not at all
    assert room.scratch_place() == usual


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_CGROUP", tmp_path)
    free = room.available_memory()
    assert free > 0
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("2500\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100\n")
    assert room.available_memory() == 600
    (tmp_path / "memory.current").write_text("9000\n")
    assert room.available_memory() == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert room.available_memory() > 600
