"""Checkpoints: the tutorial's load, the hostile are refused, the others are told why."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_slicewise.errors import ModelError, OutputError
from napari_slicewise.models.checkpoint import load_network, read_checkpoint, write_checkpoint
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.unet import UNet


class _TutorialBlock(nn.Module):
    """conv_block, written anew from the description in words."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = torch.clamp_min(self.bn1(self.conv1(x)), 0)
        return torch.clamp_min(self.bn2(self.conv2(x)), 0)


class _TutorialHalf(nn.Module):
    """Holds a block as ``conv``, and a transposed convolution as ``up`` where there is one."""

    def __init__(self, inputs, outputs, *, upwards):
        super().__init__()
        if upwards:
            self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv = _TutorialBlock(2 * outputs if upwards else inputs, outputs)


class _Tutorial(nn.Module):
    """build_unet, independent of the package's own."""

    def __init__(self, inputs, outputs, filters):
        super().__init__()
        width = [inputs] + [filters * 2**k for k in range(5)]
        for k in range(4):
            self.add_module(f"e{k + 1}", _TutorialHalf(width[k], width[k + 1], upwards=False))
        self.b = _TutorialBlock(width[4], width[5])
        for k in range(4):
            self.add_module(f"d{k + 1}", _TutorialHalf(width[5 - k], width[4 - k], upwards=True))
        self.outputs = nn.Conv2d(filters, outputs, 1)

    def forward(self, x):
        skips = []
        for half in (self.e1, self.e2, self.e3, self.e4):
            skips.append(half.conv(x))
            x = nn.functional.max_pool2d(skips[-1], 2)
        x = self.b(x)
        for half in (self.d1, self.d2, self.d3, self.d4):
            x = half.conv(torch.cat([half.up(x), skips.pop()], 1))
        return self.outputs(x)


def _trained(inputs=3, outputs=1, filters=4):
    """A tutorial network whose running statistics are no longer the initial ones."""
    torch.manual_seed(1)
    network = _Tutorial(inputs, outputs, filters).train()
    for _ in range(3):
        network(torch.randn(4, inputs, 32, 32) * 2 + 1)
    return network.eval()


def _save(path: Path, content) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("filters", [4, 64])
def test_checkpoint_of_an_independent_tutorial_module_gives_its_output(tmp_path, filters):
    original = _trained(filters=filters)
    checkpoint = read_checkpoint(_save(tmp_path / "tutorial.pth", original.state_dict()))
    network = load_network(checkpoint)
    image = torch.rand(2, 3, 48, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(image), original(image), rtol=0, atol=1e-5)
    assert not network.training
    assert len(checkpoint.state) == 136


@pytest.mark.parametrize(
    ("inputs", "outputs", "filters", "output"),
    [(1, 1, 2, "foreground"), (3, 1, 4, "foreground"), (2, 5, 3, "classes")],
)
def test_channels_and_filters_are_read_from_the_shapes(tmp_path, inputs, outputs, filters, output):
    state = _Tutorial(inputs, outputs, filters).state_dict()
    spec = read_checkpoint(_save(tmp_path / "mine.pt", state)).spec
    assert (spec.in_channels, spec.out_channels, spec.first_filters) == (inputs, outputs, filters)
    assert (spec.output, spec.normalization, spec.name) == (output, "divide_by_255", "mine")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_wrappers_and_prefixes_are_taken_off(tmp_path, key, prefix):
    state = UNet(1, 1, 1).state_dict()
    wrapped = {"epoch": 7, key: {prefix + name: value for name, value in state.items()}}
    checkpoint = read_checkpoint(_save(tmp_path / "wrapped.ckpt", wrapped))
    assert all(torch.equal(checkpoint.state[name], value) for name, value in state.items())


def test_half_precision_weights_without_counters_load_as_float32(tmp_path):
    state = {k: v.half() for k, v in UNet(1, 1, 1).state_dict().items() if "num_batches" not in k}
    path = tmp_path / "half.safetensors"
    save_file(state, path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.state["b.conv1.weight"].dtype == torch.float32
    load_network(checkpoint)


def test_what_is_written_comes_back_with_its_specification(tmp_path):
    path = tmp_path / "new folder" / "m.safetensors"
    spec = ModelSpec("m", in_channels=2, out_channels=2, first_filters=1, output="classes")
    network = UNet(2, 2, 1)
    write_checkpoint(path, network.state_dict(), spec)
    checkpoint = read_checkpoint(path)
    assert checkpoint.spec == spec
    assert all(torch.equal(checkpoint.state[k], v) for k, v in network.state_dict().items())
    assert len(checkpoint.sha256) == 64
    assert [p.name for p in path.parent.iterdir()] == ["m.safetensors"]


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")

    def no_space(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(OutputError, match="No space left"):
        write_checkpoint(path, UNet(1, 1, 1).state_dict(), ModelSpec("m", first_filters=1))
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    assert path.read_bytes() == b"old"


class _Gadget:
    """Runs a command when it is unpickled."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"echo ran > '{self.canary}'",)


def _zip_with_pickle(path: Path, content: object) -> None:
    """A torch archive whose pickle holds whatever one likes."""
    buffer = io.BytesIO()
    torch.save({}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            own = name.endswith("data.pkl")
            target.writestr(name, pickle.dumps(content, 2) if own else source.read(name))


@pytest.mark.parametrize("kind", ["bare", "zip", "renamed"])
def test_pickle_that_calls_the_shell_is_refused_and_nothing_runs(tmp_path, kind):
    canary = tmp_path / "canary"
    path = tmp_path / ("evil.safetensors" if kind == "renamed" else "evil.pt")
    if kind == "zip":
        _zip_with_pickle(path, {"state_dict": _Gadget(canary)})
    else:
        path.write_bytes(pickle.dumps(_Gadget(canary), 2))
    with pytest.raises(ModelError, match="could run any code") as caught:
        read_checkpoint(path)
    assert "system" in caught.value.message
    assert "state_dict()" in caught.value.hint
    assert not canary.exists()


def test_whole_pickled_module_is_refused_with_the_way_to_convert_it(tmp_path):
    with pytest.raises(ModelError, match="UNet") as caught:
        read_checkpoint(_save(tmp_path / "module.pt", UNet(1, 1, 1)))
    assert "torch.save(model.state_dict()" in caught.value.hint


def _without(key):
    state = UNet(1, 1, 1).state_dict()
    del state[key]
    return state


def _with(key, value):
    return UNet(1, 1, 1).state_dict() | {key: value}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_without("d2.up.bias"), "'d2.up.bias' is missing"),
        (_without("outputs.weight"), "'outputs.weight' is missing"),
        (_with("extra.weight", torch.zeros(1)), "1 tensors more than the network.*'extra.weight'"),
        (_with("e2.conv.conv1.weight", torch.zeros(2, 7, 3, 3)), r"e2.conv.conv1.*\(2, 7, 3, 3\)"),
        (_with("b.conv1.bias", torch.full((16,), torch.nan)), "'b.conv1.bias' holds NaN"),
        (_with("b.conv1.bias", torch.zeros(16, dtype=torch.complex64)), "plain numbers"),
        (nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).state_dict(), "a classifier.*'1.weight'"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 1, 1)).state_dict(), "another network"),
        ({"epoch": 3}, "holds no weights, only 'epoch'"),
        ({}, "holds no weights, only nothing"),
        ([1, 2], "holds no weights but a list"),
        (torch.zeros(3), "holds no weights but a Tensor"),
    ],
)
def test_other_contents_are_named_with_the_first_tensor_that_does_not_fit(tmp_path, content, words):
    with pytest.raises(ModelError, match=words) as caught:
        read_checkpoint(_save(tmp_path / "other.pt", content))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("text.pt", b"epoch,loss\n1,0.5\n", "is no checkpoint"),
        ("text.safetensors", b"hello, this is a text file", "is no checkpoint"),
        ("empty.pt", b"", "is empty"),
        ("short.pt", b"P", "is no checkpoint"),
        ("zeros.pt", bytes(4096), "is no checkpoint"),
        ("archive.pt", b"PK\x03\x04" + bytes(100), "incomplete"),
        ("pickle.pt", b"\x80\x02" + bytes(100), "damaged|incomplete"),
        ("huge.safetensors", (1 << 31).to_bytes(8, "little") + b"{}", "no safetensors"),
        ("cut.safetensors", (200).to_bytes(8, "little") + b'{"a":', "incomplete"),
    ],
)
def test_files_that_are_no_checkpoint_are_refused(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ModelError, match=words) as caught:
        read_checkpoint(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_truncated_files_are_refused(tmp_path, name, kept):
    path = tmp_path / name
    state = UNet(1, 1, 1).state_dict()
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(ModelError, match=r"incomplete|damaged"):
        read_checkpoint(path)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(ModelError, match="There is no file"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(ModelError, match="is a folder"):
        read_checkpoint(tmp_path)


def test_specification_that_contradicts_the_weights_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    write_checkpoint(path, UNet(1, 1, 1).state_dict(), ModelSpec("m", first_filters=10**9))
    with pytest.raises(ModelError, match="1000000000 filters, but its weights"):
        read_checkpoint(path)


def test_safetensors_whose_length_begins_like_a_pickle_is_read(tmp_path):
    """The header is padded until the file's first byte is 0x80, a pickle's first byte."""
    path = tmp_path / "m.safetensors"
    save_file(UNet(1, 1, 1).state_dict(), path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    longer = length + (0x80 - length) % 256
    header = data[8 : 8 + length].ljust(longer)
    assert json.loads(header)
    path.write_bytes(longer.to_bytes(8, "little") + header + data[8 + length :])
    assert path.read_bytes()[0] == 0x80
    assert read_checkpoint(path).spec.first_filters == 1
