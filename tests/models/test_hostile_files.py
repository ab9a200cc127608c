"""Files made to do harm: refused within seconds, without the memory, and nothing runs."""

import builtins
import io
import os
import pickle
import subprocess
import time
import zipfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import read_checkpoint
from napari_slicewise.models.unet import UNet

MEGABYTE = 1 << 20
PEAK = Path("/proc/self/status")


def peak_memory():
    """Most bytes that this process held since the peak was last forgotten; 0 off Linux."""
    if not PEAK.exists():
        return 0
    line = next(x for x in PEAK.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@contextmanager
def refused(words):
    """A ModelError with these words and a hint, in 5 s and 200 megabytes."""
    if PEAK.exists():
        Path("/proc/self/clear_refs").write_text("5")
    before, start = peak_memory(), time.monotonic()
    with pytest.raises(ModelError, match=words) as caught:
        yield
    assert time.monotonic() - start < 5
    assert peak_memory() - before < 200 * MEGABYTE
    assert caught.value.hint


def archive(path, data, entries=(), compression=zipfile.ZIP_STORED):
    """A torch archive with a pickle and storages of one's own."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, data if name.endswith("data.pkl") else source.read(name))
        for name, content in entries:
            target.writestr(name, content)
    return path


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def gadgets(canary: Path):
    touch = f"open({str(canary)!r}, 'w').close()"
    inner = io.BytesIO()
    torch.save(Call(os.system, f"touch '{canary}'"), inner)
    return {
        "system": Call(os.system, f"touch '{canary}'"),
        "eval": Call(builtins.eval, touch),
        "exec": Call(builtins.exec, touch),
        "check_output": Call(subprocess.check_output, ["touch", str(canary)]),
        "load": Call(partial(torch.load, weights_only=False), io.BytesIO(inner.getvalue())),
        "getattr": Call(getattr, Call(__import__, "os"), "system"),
    }


@pytest.mark.parametrize("form", ["bare", "protocol 4", "archive", "legacy"])
@pytest.mark.parametrize("name", ["system", "eval", "exec", "check_output", "load", "getattr"])
def test_no_gadget_runs(tmp_path, name, form):
    canary, path = tmp_path / "canary", tmp_path / "evil.pt"
    content = {"epoch": 1, "state_dict": {"weight": gadgets(canary)[name]}}
    if form == "archive":
        archive(path, pickle.dumps(content, 2))
    elif form == "legacy":
        torch.save(content, path, _use_new_zipfile_serialization=False)
    else:
        path.write_bytes(pickle.dumps(content, 4 if form == "protocol 4" else 2))
    # torch's unpickler stumbles over newer protocols, and over an archive at a file's end.
    stumbles = form == "protocol 4" or (form, name) == ("legacy", "load")
    with refused("any code|no torch|damaged" if stumbles else "could run any code"):
        read_checkpoint(path)
    assert not canary.exists()
    pickle.loads(pickle.dumps(content["state_dict"]["weight"]))  # it does run where it may
    assert canary.exists() or name == "getattr"


def test_torch_file_inside_of_a_tensor_stays_there(tmp_path):
    canary, inner = tmp_path / "canary", io.BytesIO()
    torch.save(Call(os.system, f"touch '{canary}'"), inner)
    hidden = torch.frombuffer(bytearray(inner.getvalue()), dtype=torch.uint8)
    path = tmp_path / "nested.pt"
    torch.save(UNet(1, 1, 1).state_dict() | {"payload": hidden}, path)
    with refused("1 tensors more than the network, the first 'payload'"):
        read_checkpoint(path)
    assert not canary.exists()


def name_of(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def value(number):
    return pickle.dumps(number, 2)[2:-1]


def text(word):
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


def tensor_pickle(stored, shape, strides):
    """{'w': a float tensor} whose storage claims ``stored`` elements."""
    storage = b"(" + text("storage") + name_of("torch", "FloatStorage")
    storage += text("0") + text("cpu") + value(stored)
    sides, steps = (b"(" + b"".join(map(value, many)) + b"t" for many in (shape, strides))
    rebuilt = name_of("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + b"tQ"
    rebuilt += value(0) + sides + steps + b"\x89" + name_of("collections", "OrderedDict") + b")RtR"
    return b"\x80\x02}(" + text("w") + rebuilt + b"u."


@pytest.mark.parametrize(
    ("stored", "shape", "strides", "words"),
    [
        (1 << 60, (1 << 60,), (1,), "record size"),
        (1 << 33, (1 << 33,), (1,), "record size"),
        (2, (1 << 60,), (1,), "incomplete"),
        (2, (1 << 60,), (0,), "'w' claims 1152921504606846976 elements, and the file has"),
        (2, (1 << 30, 1 << 10), (0, 0), "'w' claims 1099511627776 elements"),
    ],
)
def test_tensors_larger_than_their_file_are_refused(tmp_path, stored, shape, strides, words):
    path = archive(tmp_path / "large.pt", tensor_pickle(stored, shape, strides))
    with refused(words):
        read_checkpoint(path)


@pytest.mark.parametrize("stored", [1 << 60, 1 << 34])
def test_large_tensor_in_the_format_before_2020_is_refused(tmp_path, stored):
    path = tmp_path / "large.pt"
    torch.save({"w": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    head, place, tail = path.read_bytes().partition(b"cpu")
    assert tail.index(b"K\x02") < 10  # how many elements, after where
    path.write_bytes(head + place + tail.replace(b"K\x02", value(stored), 1))
    with refused("incomplete|damaged|claims"):
        read_checkpoint(path)


def test_safetensors_with_a_header_of_2_to_the_60_elements_is_refused(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,8]}}'
    path = tmp_path / "large.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with refused("broken or incomplete"):
        read_checkpoint(path)
    path.write_bytes((1 << 60).to_bytes(8, "little") + header)
    with refused("no checkpoint"):
        read_checkpoint(path)


def test_archive_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.pt"
    archive(path, tensor_pickle(1 << 28, (1 << 28,), (1,)))
    with zipfile.ZipFile(path) as source:
        kept = [(name, source.read(name)) for name in source.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in kept:
            with target.open(name, "w") as entry:
                pages = 64 if name.endswith("data/0") else 0
                entry.write(b"" if pages else content)
                for _ in range(pages):
                    entry.write(bytes(4 * MEGABYTE))
    assert path.stat().st_size < MEGABYTE // 2
    with refused("is compressed, .* bytes in .* it was not unpacked"):
        read_checkpoint(path)


def test_call_that_fills_the_memory_is_refused(tmp_path):
    filler = name_of("builtins", "bytearray") + value(1 << 34) + b"\x85R."
    archived = archive(tmp_path / "filler.pt", b"\x80\x02" + filler)
    with refused("builtins.bytearray.*fill the memory"):
        read_checkpoint(archived)
    bare = tmp_path / "bare.pt"
    bare.write_bytes(b"\x80\x02" + filler)
    with refused("builtins.bytearray"):
        read_checkpoint(bare)


def test_torchscript_is_refused_with_the_way_to_convert_it(tmp_path):
    path = tmp_path / "script.pt"
    entries = [("archive/constants.pkl", pickle.dumps(())), ("archive/code/net.py", b"#")]
    archive(path, pickle.dumps({}, 2), entries)
    with refused("a TorchScript program: opening it could run any code"):
        read_checkpoint(path)


def test_tensor_without_content_is_refused(tmp_path):
    path = tmp_path / "meta.pt"
    with torch.device("meta"):
        torch.save({"w": torch.zeros(1 << 20, 1 << 20)}, path)
    with refused("'w' has no content"):
        read_checkpoint(path)


def test_unet_in_space_is_named_as_such(tmp_path):
    path = tmp_path / "space.pt"
    layers = [
        nn.Conv3d(1, 2, 3),
        nn.BatchNorm3d(2),
        nn.ConvTranspose3d(2, 2, 2),
        nn.Conv3d(2, 1, 1),
    ]
    torch.save(nn.Sequential(*layers).state_dict(), path)
    with refused(r"'0.weight' of shape \(2, 1, 3, 3, 3\) .* the network is a 3D one"):
        read_checkpoint(path)


def test_classifier_is_named_as_such(tmp_path):
    path = tmp_path / "classifier.safetensors"
    save_file(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 2)).state_dict(), path)
    with refused("a classifier .*'2.weight' of shape .2, 2. is a fully connected layer"):
        read_checkpoint(path)
