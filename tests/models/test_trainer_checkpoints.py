"""Checkpoints as trainers write them: the network is found, everything else is left aside."""

import collections
import re

import pytest
import torch
from models.foreign_networks import CourseUNet, randomise
from models.test_adapters import agree

from napari_slicewise.errors import ModelError
from napari_slicewise.models.checkpoint import read_checkpoint


def lightning(state, **beside):
    """What Lightning 2 writes, but for objects of its own."""
    return {
        "epoch": 4,
        "global_step": 1200,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 5}}}},
        "callbacks": {
            "EarlyStopping{'monitor': 'val_loss'}": {"wait_count": 1, "best": torch.tensor(0.2)},
            "ModelCheckpoint{'monitor': 'val_loss'}": {"best_model_path": "/data/best.ckpt"},
        },
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}],
        "lr_schedulers": [{"last_epoch": 5, "_last_lr": [0.1]}],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 1e-3, "widths": [4, 8], "loss": "dice"},
        **beside,
    }


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


@pytest.fixture
def network():
    return randomise(CourseUNet(1, 1, (4, 8)))


@pytest.mark.parametrize("prefix", ["model.", "net.", "network.", "unet.", "_model.", "model.net."])
def test_lightning_checkpoints_load_with_everything_beside(tmp_path, network, prefix):
    path = tmp_path / "last.ckpt"
    torch.save(lightning(prefixed(prefix, network.state_dict())), path)
    agree(network, read_checkpoint(path))


def test_losses_and_metrics_in_the_state_dict_are_left_aside(tmp_path, network):
    state = prefixed("model.", network.state_dict())
    state["criterion.pos_weight"] = torch.ones(1)
    state["loss.dice.weight"] = torch.ones(2)
    state["val_iou.confmat"] = torch.zeros(2, 2, dtype=torch.int64)
    state["train_metrics.total"] = torch.zeros(())
    path = tmp_path / "last.ckpt"
    torch.save(lightning(state), path)
    agree(network, read_checkpoint(path))


def test_the_network_is_taken_and_not_its_average_beside_it(tmp_path, network):
    average = randomise(CourseUNet(1, 1, (4, 8)), seed=8)
    state = prefixed("model.", network.state_dict())
    state |= prefixed("ema_model.module.", average.state_dict())
    path = tmp_path / "last.ckpt"
    torch.save(lightning(state), path)
    agree(network, read_checkpoint(path))


def test_an_average_alone_is_taken(tmp_path, network):
    path = tmp_path / "ema.ckpt"
    torch.save(lightning(prefixed("ema_model.module.", network.state_dict())), path)
    agree(network, read_checkpoint(path))


@pytest.mark.parametrize("wrapper", ["ema_state_dict", "model_ema", "state_dict_ema", "shadow"])
def test_averages_under_keys_of_their_own_come_after_the_network(tmp_path, network, wrapper):
    average = randomise(CourseUNet(1, 1, (4, 8)), seed=8).state_dict()
    path = tmp_path / "both.ckpt"
    torch.save(lightning(prefixed("model.", network.state_dict()), **{wrapper: average}), path)
    agree(network, read_checkpoint(path))


def test_a_network_whose_layers_are_called_like_a_loss_is_not_taken_apart(tmp_path):
    """Its names have no common prefix, so nothing is left aside and the misfit is said."""
    state = {"loss.weight": torch.zeros(2, 1, 3, 3), "other.weight": torch.zeros(1, 2, 1, 1)}
    path = tmp_path / "odd.pt"
    torch.save(state, path)
    with pytest.raises(ModelError, match=r"2 tensors, the first 'loss.weight'"):
        read_checkpoint(path)


class AttributeDict(dict):
    """As Lightning keeps hyperparameters, under its name."""


def test_an_object_beside_the_weights_is_named_with_the_way_to_convert(tmp_path, network):
    path = tmp_path / "last.ckpt"
    beside = {"hyper_parameters": AttributeDict(lr=0.1)}
    torch.save(lightning(prefixed("model.", network.state_dict()), **beside), path)
    with pytest.raises(ModelError, match=r"AttributeDict.*could run any code") as caught:
        read_checkpoint(path)
    assert "['state_dict'], 'weights.pt')" in caught.value.hint


def test_the_way_to_convert_that_the_hint_gives_works(tmp_path, network):
    path, out = tmp_path / "last.ckpt", tmp_path / "weights.pt"
    beside = {"hyper_parameters": AttributeDict(lr=0.1)}
    torch.save(lightning(prefixed("model.", network.state_dict()), **beside), path)
    with pytest.raises(ModelError) as caught:
        read_checkpoint(path)
    command = re.search(r"or of a checkpoint (torch\.save\(.*\))\.$", caught.value.hint)[1]
    exec(command.replace("FILE", repr(str(path))).replace("'weights.pt'", repr(str(out))))
    agree(network, read_checkpoint(out))


def test_ordered_dictionaries_and_plain_numbers_are_no_objects(tmp_path, network):
    state = collections.OrderedDict(prefixed("model.", network.state_dict()))
    path = tmp_path / "last.ckpt"
    torch.save(lightning(state, hyper_parameters=collections.OrderedDict(lr=0.1)), path)
    agree(network, read_checkpoint(path))
