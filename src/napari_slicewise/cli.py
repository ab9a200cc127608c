"""The command ``slicewise``: the panel's engine without a window."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from napari_slicewise import __version__
from napari_slicewise.cli_convert import add_convert
from napari_slicewise.cli_learning import add_evaluate, add_train
from napari_slicewise.cli_models import (
    add_export,
    add_models,
    describes_model,
    run_model_info,
)
from napari_slicewise.errors import SlicewiseError
from napari_slicewise.io.info import describe, describe_as_dict

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        As typed, without the program's name; None takes them from the system.

    Returns
    -------
    int
        0 when all went well, 1 when something failed, 130 when interrupted. Usage
        errors exit with 2.
    """
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        # What is ignored stays so: nohup asks for that.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    parsed = _parser().parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except SlicewiseError as error:
        print(f"slicewise: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("slicewise: interrupted; no output was left half-written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has had enough
        sys.stdout = None  # else Python complains at its end
        return 1
    except OSError as error:  # a full disk behind the output, a name that is too long
        print(f"slicewise: {error}", file=sys.stderr)
        return 1
    return status


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """End like Ctrl+C, so that what was half-written is removed."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slicewise", description="Segment images and stacks slice by slice with a U-Net."
    )
    parser.add_argument("--version", action="version", version=f"slicewise {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_segment(commands.add_parser("segment", help="segment images, write labels"))
    add_convert(commands.add_parser("convert", help="write an image in another format"))
    add_train(commands.add_parser("train", help="learn from images and their labels"))
    add_evaluate(commands.add_parser("evaluate", help="score a model on images and labels"))
    add_models(commands.add_parser("models", help="list the bundled models"))
    add_export(commands.add_parser("export", help="write a model as a bioimage.io package"))
    info = commands.add_parser("info", help="say what an image or a model file holds")
    info.add_argument("file", type=Path)
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(run=_info)
    return parser


def _add_segment(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, metavar="IN", help="images, folders of them, 'patterns*'")
    add(
        "-o",
        "--out",
        required=True,
        type=Path,
        metavar="OUT",
        help="ends in .tif or .ome.zarr; else a folder of results, one an input",
    )
    add("--model", default="nuclei", help="a bundled model's name, or a file of weights")
    add(
        "--trust-code",
        action="append",
        default=[],
        metavar="SHA256",
        help="run the program in a TorchScript file of that SHA-256, now and later",
    )
    add("--device", default="auto", help="auto, cpu, cuda:0, mps (default: auto)")
    add(
        "--precision",
        default="auto",
        choices=("auto", "float32", "bfloat16", "float16", "int8"),
        help="number format of the network (default: auto)",
    )
    _add_channels(parser)
    add("--series", type=int, default=0, metavar="N", help="image of the file, counted from 0")
    add(
        "--slices",
        type=_slice_range,
        metavar="A:B",
        help="slices A to B, B excluded, along the last stack axis; the others stay blank",
    )
    _add_shaping(parser)
    _add_running(parser)
    parser.set_defaults(run=_segment)


def _add_channels(parser: argparse.ArgumentParser) -> None:
    """Add what decides how the image feeds the model."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--channel", type=int, metavar="N", help="the channel to read, counted from 0"
    )
    which.add_argument(
        "--channels",
        type=_channel_numbers,
        metavar="N,N",
        help="the channel for each input of the model, in order, such as 2,0",
    )
    parser.add_argument(
        "--no-rescale",
        action="store_true",
        help="take pixels as they are, where the model was trained at another pixel size",
    )


def _add_shaping(parser: argparse.ArgumentParser) -> None:
    """Add what decides how probabilities become objects."""
    add = parser.add_argument
    add("--threshold", type=float, metavar="T", help="foreground probability, 0 to 1")
    add(
        "--output",
        default="labels",
        choices=("labels", "classes", "probability"),
        help="what to write (default: labels)",
    )
    size = "16px or 20um2 in each slice, or 50um3 of a linked object"
    add(
        "--directions",
        default="z",
        choices=("z", "zy", "zx", "zyx"),
        help="look at a stack along these axes, and take the mean (default: z)",
    )
    add("--smallest", default="16px", metavar="SIZE", help=f"{size} (default: 16px)")
    add("--largest", metavar="SIZE", help="likewise (default: any)")
    add("--core-threshold", type=float, metavar="T", help="an object has a pixel of at least T")
    add("--smoothing", type=float, default=0.0, metavar="PX", help="of outlines, Gaussian sigma")
    add("--holes", default="0px", metavar="SIZE", help="fill holes up to 40px or 10um2")
    add("--no-border", action="store_true", help="leave out objects at the border of a slice")
    add("--no-split", action="store_true", help="leave touching objects together")
    _add_linking(parser)
    add(
        "--intensity-range",
        default="stack",
        choices=("stack", "slice"),
        help="normalise over the whole stack or each slice by itself (default: stack)",
    )


def _add_linking(parser: argparse.ArgumentParser) -> None:
    """Add what decides which objects of neighbouring slices are one."""
    add = parser.add_argument
    add("--no-link", action="store_true", help="do not link objects from slice to slice")
    add("--track", action="store_true", help="follow the objects of a movie, divisions and all")
    add("--gap", type=int, default=1, metavar="N", help="slices an object may miss (default: 1)")
    add("--least-iou", type=float, default=0.0, metavar="IOU", help="overlap of linked slices")
    add(
        "--least-slices",
        type=int,
        metavar="N",
        help="of an object (default: 2 in a z-stack of 5 slices or more, else 1)",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    """Add what decides how a run goes on, and what is told of it."""
    add = parser.add_argument
    add(
        "--restart",
        action="store_true",
        help="throw away what an interrupted run has finished, instead of going on after it",
    )
    add(
        "--report",
        type=Path,
        metavar="CSV",
        help="a table, one row an input (default, with several inputs: report.csv in OUT)",
    )
    add(
        "--objects",
        action="store_true",
        help="write a table of the objects beside each result, NAME.objects.csv",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=_positive, metavar="N", help="work in N processes (needs OME-Zarr output)"
    )
    where.add_argument(
        "--scheduler", metavar="tcp://HOST:PORT", help="work on the dask cluster of that scheduler"
    )
    add("--threads", type=_positive, metavar="N", help="threads of each worker")
    add("--quiet", action="store_true", help="print nothing but errors")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _channel_numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of channels such as 2,0")
    return tuple(map(int, parts))


def _slice_range(text: str) -> tuple[int | None, int | None]:
    try:
        low, high = (int(part) if part else None for part in text.split(":"))
    except ValueError:
        message = f"{text!r} is no range such as 10:20, 10: or :20"
        raise argparse.ArgumentTypeError(message) from None
    return low, high


def _segment(options: argparse.Namespace) -> int:
    # Torch is loaded for this command alone: the others answer at once.
    from napari_slicewise.cli_segment import run_segment

    return run_segment(options)


def _info(options: argparse.Namespace) -> int:
    path: Path = options.file
    if describes_model(path):
        return run_model_info(path, as_json=options.json)
    if options.json:
        print(json.dumps(describe_as_dict(path), indent=2))
    else:
        print(describe(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
