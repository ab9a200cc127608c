"""A journal that is cut, corrupt or without room loses no more than it must."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.edit_sessions import blank, image_of, journalled, restored, same, stroke, work

from napari_slicewise.editing import journal_file
from napari_slicewise.editing.journal import JournalWarning
from napari_slicewise.editing.journal_replay import replay, restorable


@pytest.mark.parametrize("cut", range(12))
def test_a_journal_cut_anywhere_gives_what_is_before_the_cut(tmp_path: Path, cut: int):
    session = blank()
    snapshots = [session.labels.data.copy()]
    with journalled(session, tmp_path) as journal:
        assert journal.flush()  # the first snapshot, which else may hold strokes of a later moment
        for step in range(10):
            stroke(session, step % 4, slice(step, step + 3), slice(0, 9), step + 1)
            snapshots.append(session.labels.data.copy())
    data = journal.path.read_bytes()
    at = random.Random(cut).randrange(len(data) // 3, len(data))
    journal.path.write_bytes(data[:at])
    again, lost = restored(journal.path)
    assert any(np.array_equal(again.labels.data, seen) for seen in snapshots)
    assert lost in (0, 1)


def test_a_flipped_bit_ends_what_is_trusted_and_the_rest_is_counted(tmp_path: Path):
    session = blank()
    with journalled(session, tmp_path) as journal:
        stroke(session, 0, slice(0, 3), slice(0, 3), 5)
        journal.flush()
        whole = journal.path.stat().st_size
        before = session.labels.data.copy()
        for z in (1, 2, 3):
            stroke(session, z, slice(0, 3), slice(0, 3), 6)
    data = bytearray(journal.path.read_bytes())
    data[whole + 30] ^= 4
    journal.path.write_bytes(data)
    again = blank()
    found = replay(journal.path, again, image_of())
    np.testing.assert_array_equal(again.labels.data, before)
    assert found.lost == 3
    assert "last 3 records" in found.words


def test_a_full_disk_is_told_once_and_the_journal_begins_anew_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real, room = journal_file.write_all, [10_000_000]

    def write(handle: int, data: bytes) -> None:
        real(handle, data[: room[0]])
        if len(data) > room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= len(data)

    monkeypatch.setattr(journal_file, "write_all", write)
    warnings: list[JournalWarning] = []
    session = blank()
    options = {"on_warning": warnings.append, "retry_s": 0.05}
    with journalled(session, tmp_path, **options) as journal:
        stroke(session, 0, slice(0, 3), slice(0, 3), 5)
        assert journal.flush()
        before = session.labels.data.copy()
        room[0] = 50
        work(session)
        assert not journal.flush()
        time.sleep(0.2)  # several attempts
        assert journal.suspended
        assert len(warnings) == 1
        assert "No space left" in str(warnings[0])
        again, _ = restored(journal.path)
        np.testing.assert_array_equal(again.labels.data, before)
        room[0] = 10_000_000
        while journal.suspended:
            time.sleep(0.01)
        stroke(session, 2, slice(0, 3), slice(0, 3), 77)
    same(session, restored(journal.path)[0])


def test_a_burst_of_edits_that_the_disk_cannot_follow_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("napari_slicewise.editing.journal._WAITING", 3)
    session = blank()
    with journalled(session, tmp_path) as journal:
        for step in range(200):
            stroke(session, step % 4, slice(0, 20), slice(step % 20, 20), 1 + step)
    same(session, restored(journal.path)[0])


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.edit_sessions import Journal, blank, image_of, stroke
session = blank()
journal = Journal(session, image_of(), Path(sys.argv[1]))
for step in range(100000):
    stroke(session, step % 4, slice(0, 20), slice(step % 20, 20), 1 + step)
    journal.flush()
    print(step, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_killed_process_loses_at_most_the_stroke_being_drawn(tmp_path: Path, lines: int):
    tests = str(Path(__file__).resolve().parents[1])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), tests], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = -1
    for _ in range(lines):
        seen = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().split()
    child.wait()
    child.stdout.close()
    seen = int(rest[-1]) if rest else seen
    (info,) = restorable(tmp_path)  # its lock died with it
    again, _ = restored(info.path)
    possible = []
    session = blank()
    for step in range(seen + 2):
        stroke(session, step % 4, slice(0, 20), slice(step % 20, 20), 1 + step)
        if step >= seen:
            possible.append(session.labels.data.copy())
    assert any(np.array_equal(again.labels.data, values) for values in possible)
