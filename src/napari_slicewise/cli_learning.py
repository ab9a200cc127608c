"""The options of ``slicewise train`` and ``slicewise evaluate``; they answer at once."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import get_args

from napari_slicewise.training.request import Head

__all__ = ["add_evaluate", "add_train"]


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``slicewise train``.

    Parameters
    ----------
    parser
        Of this subcommand.
    """
    add = parser.add_argument
    add("images", type=Path, metavar="IMAGES", help="an image or stack, or a folder of them")
    add("labels", type=Path, metavar="LABELS", help="its labels, or a folder with the same names")
    add("-o", "--out", required=True, type=Path, metavar="MODEL", help="ends in .safetensors")
    add("--from", dest="start", metavar="MODEL", help="begin with this model (default: nothing)")
    add("--minutes", type=float, default=10.0, metavar="N", help="time to train (default: 10)")
    add("--steps", type=int, metavar="N", help="steps instead of a time: reproducible")
    add("--head", default="auto", choices=get_args(Head), help="what it answers (default: auto)")
    add("--filters", type=int, default=16, metavar="N", help="of a new network (default: 16)")
    add("--patch", type=int, metavar="PX", help="side of a patch, a multiple of 16")
    add("--batch", type=int, default=8, metavar="N", help="patches a step (default: 8)")
    add("--seed", type=int, default=0, metavar="N", help="of weights and patches (default: 0)")
    add("--learning-rate", type=float, metavar="R", help="peak of the learning rate")
    add("--channel", type=int, metavar="N", help="the channel to read, counted from 0")
    _add_labels(parser)
    _add_running(parser)
    parser.set_defaults(run=_train)


def _add_labels(parser: argparse.ArgumentParser) -> None:
    """Add what says how labels are meant, and which of them are only scored."""
    add = parser.add_argument
    add("--unknown", type=int, metavar="V", help="labels of this value: nobody looked there")
    add("--background", type=int, default=0, metavar="V", help="value of the background (0)")
    add(
        "--hold-out",
        nargs="*",
        metavar="NAME",
        help="images to score and not to learn from (default: a fifth); none given: none",
    )
    add("--class-names", nargs="+", default=(), metavar="NAME", help="the background's first")
    add("--name", help="of the model (default: of its file)")


def _add_running(parser: argparse.ArgumentParser) -> None:
    """Add what decides how a training goes on, and what is told of it."""
    add = parser.add_argument
    add("--device", default="auto", help="auto, cpu, cuda:0, mps (default: auto)")
    add("--threads", type=int, metavar="N", help="threads on the processor")
    add("--memory", type=int, default=2048, metavar="MB", help="for images (default: 2048)")
    add("--resume", action="store_true", help="go on with an interrupted training")
    add("--log", type=Path, metavar="CSV", help="curves (default: beside the model)")
    add("--quiet", action="store_true", help="print nothing but errors")


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``slicewise evaluate``.

    Parameters
    ----------
    parser
        Of this subcommand.
    """
    add = parser.add_argument
    add("model", metavar="MODEL", help="a bundled model's name, or a file of weights")
    add("images", type=Path, metavar="IMAGES", help="an image or stack, or a folder of them")
    add("labels", type=Path, metavar="LABELS", help="the truth, or a folder with the same names")
    add("--report", type=Path, metavar="DIR", help="write report.md with pictures")
    add("--save", type=Path, metavar="DIR", help="write the predicted labels, one TIFF an image")
    add("--per-slice", action="store_true", help="match objects slice by slice")
    add("--membranes", action="store_true", help="score membranes too: the truth is their inside")
    add(
        "--threshold", type=float, metavar="T", help="foreground probability (default: the model's)"
    )
    add("--channel", type=int, metavar="N", help="the channel to read, counted from 0")
    add("--device", default="auto", help="auto, cpu, cuda:0, mps (default: auto)")
    add("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_evaluate)


def _train(options: argparse.Namespace) -> int:
    # Threads that wait leave the processor to others; read when torch is loaded, which is now,
    # and for this command alone.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from napari_slicewise.cli_train import run_train

    return run_train(options)


def _evaluate(options: argparse.Namespace) -> int:
    from napari_slicewise.cli_evaluate import run_evaluate  # loads torch

    return run_evaluate(options)
