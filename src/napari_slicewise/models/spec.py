"""What a model is: everything that inference must know beside the weights. No torch here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any, Literal, get_args

from napari_slicewise.errors import ModelError

__all__ = [
    "ActivationKind",
    "ModelSpec",
    "NormalizationKind",
    "OutputKind",
    "PaddingKind",
    "UpsamplingKind",
]

OutputKind = Literal["foreground", "foreground_distance", "foreground_boundary", "classes"]
NormalizationKind = Literal["percentile", "divide_by_255", "z_score", "linear", "none"]
ActivationKind = Literal["auto", "softmax", "sigmoid", "none"]
PaddingKind = Literal["same", "valid"]
UpsamplingKind = Literal["transposed", "bilinear", "bilinear_aligned", "nearest"]
_TUPLES = ("class_names", "clip", "fixed_tile", "gain", "offset", "percentiles", "widths")


@dataclass(frozen=True)
class ModelSpec:
    """Frozen description of a network and of what its numbers mean.

    Parameters
    ----------
    name
        Short name, unique among the bundled models; of a file, its stem.
    title
        One line for the model picker.
    architecture
        Name of the network, a key of ``checkpoint.ARCHITECTURES``.
    in_channels, out_channels, first_filters
        Read from the shapes of the weights.
    widths
        Filters of the network's convolutions where ``first_filters`` does not settle them,
        as its class counts them (``unet_2015``, ``unet_compact``, ``unet_padded``).
    batch_norm
        Whether batch norm follows the convolutions (``unet_padded``).
    upsampling
        How the sides double on the way up (``unet_padded``).
    last_relu
        Whether a ReLU ends each block (``unet_compact``).
    options
        What else a network of a library is built from, word by word.
    whole_slices
        Whether every output depends on the whole input (instance norm, for one), so that
        tiles would change the result.
    output
        ``foreground``: one logit (sigmoid). ``foreground_distance``: that, and a channel
        with the distance to the object's edge, 0 at the edge and 1 at its centre.
        ``foreground_boundary``: that, and the logit of being between two objects.
        ``classes``: one channel a class.
    activation
        What turns the network's numbers into probabilities. ``auto``: softmax for ``classes``,
        else sigmoid. ``none``: they are probabilities already.
    background
        Which output channel of ``classes`` is the background; None where none is, and each
        class has a channel of its own (``sigmoid``). The activations begin with the
        background in every case.
    class_names
        Names of the classes, background included; empty where there are none.
    padding
        ``same``: the output has the input's size. ``valid``: the network's convolutions
        are not padded, and the output is smaller by ``margin`` at each border.
    stride, remainder
        Sides of the input are ``stride * k + remainder``, in pixels, ``k`` a whole number.
    fixed_tile
        Rows and columns of the only input that it takes; empty where all that fit do.
    margin
        In pixels. With ``same`` padding half of the receptive field: output this far from
        a tile's border is what the whole image would give. With ``valid``, what is lost.
    normalization
        ``percentile``: ``(image - p_low) / (p_high - p_low)``. ``divide_by_255``:
        8-bit values to 0..1, other types first scaled to that range. ``z_score``: mean 0 and
        standard deviation 1. ``linear``: ``image * gain + offset``. ``none``: the image's own
        numbers.
    percentiles
        ``(low, high)`` in percent, for ``percentile``.
    gain, offset
        One number an input channel, for ``linear``.
    clip
        Bounds of the scaled pixels; None takes those usual for the scaling.
    threshold
        Foreground probability above which a pixel belongs to an object.
    pixel_um
        Pixel size of the training images in um; None where unknown.
    licence, source, description
        Where the weights come from and what one may do with them.
    scores
        Measured scores, for the card: ``{"what": value}``.
    """

    name: str
    title: str = ""
    architecture: str = "unet"
    in_channels: int = 1
    out_channels: int = 1
    first_filters: int = 64
    widths: tuple[int, ...] = ()
    batch_norm: bool = True
    upsampling: UpsamplingKind = "transposed"
    last_relu: bool = False
    options: dict[str, str] = field(default_factory=dict)
    whole_slices: bool = False
    output: OutputKind = "foreground"
    activation: ActivationKind = "auto"
    background: int | None = 0
    class_names: tuple[str, ...] = ()
    padding: PaddingKind = "same"
    stride: int = 16
    remainder: int = 0
    fixed_tile: tuple[int, ...] = ()
    margin: int = 112
    normalization: NormalizationKind = "percentile"
    percentiles: tuple[float, float] = (1.0, 99.8)
    gain: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    clip: tuple[float, float] | None = None
    threshold: float = 0.5
    pixel_um: float | None = None
    licence: str = ""
    source: str = ""
    description: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_values()
        if not 0 <= self.remainder < self.stride or self.margin < 0:
            raise ModelError(
                f"A model's remainder must be 0 to {self.stride - 1} and its margin not negative: "
                f"{self.remainder}, {self.margin}."
            )
        needed = {"foreground_distance": 2, "foreground_boundary": 2}.get(self.output)
        if needed is not None and self.out_channels != needed:
            raise ModelError(
                f"Output kind {self.output!r} has {needed} channels, the model {self.out_channels}."
            )
        if self.output == "classes" and not 2 <= self.out_channels <= 255:
            raise ModelError(
                f"A model for classes has 2 to 255 output channels, not {self.out_channels}."
            )
        if self.background is not None and not 0 <= self.background < self.out_channels:
            raise ModelError(
                f"A model's background is one of its {self.out_channels} channels, "
                f"not {self.background}."
            )

    def _check_values(self) -> None:
        """Refuse values that no model has: descriptions come from files of unknown origin."""
        for name in ("in_channels", "out_channels", "first_filters", "stride"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"A model's {name} must be 1 or more: {value!r}.")
        if not all(isinstance(width, int) and width > 0 for width in self.widths):
            raise ModelError(f"A model's widths must be 1 or more: {self.widths}.")
        for name in ("remainder", "margin"):
            if not isinstance(getattr(self, name), int):
                raise ModelError(f"A model's {name} must be a whole number.")
        self._check_words()
        self._check_scaling()
        low, high = self.percentiles
        if not 0.0 <= low < high <= 100.0:
            raise ModelError(f"A model's percentiles must ascend within 0..100: {low}, {high}.")
        if not 0.0 <= self.threshold <= 1.0:
            raise ModelError(f"A model's threshold must lie in 0..1: {self.threshold}.")
        if self.pixel_um is not None and not self.pixel_um > 0.0:
            raise ModelError(f"A model's pixel size must be above 0: {self.pixel_um}.")
        if not all(isinstance(score, int | float) for score in self.scores.values()):
            raise ModelError("A model's scores must be numbers.")

    def _check_words(self) -> None:
        """Refuse kinds that there are not, and values of another type than theirs."""
        if self.fixed_tile and not (
            len(self.fixed_tile) == 2
            and all(isinstance(side, int) and side > 0 for side in self.fixed_tile)
        ):
            raise ModelError(f"A model's only input has two sides, not {self.fixed_tile}.")
        if not isinstance(self.background, int | None):
            raise ModelError("A model's background must be the number of a channel, or none.")
        words = (*self.options, *self.options.values())
        if not all(isinstance(word, str) for word in words):
            raise ModelError(f"A model's options must be words: {self.options}.")
        for name, choices in (
            ("output", get_args(OutputKind)),
            ("normalization", get_args(NormalizationKind)),
            ("padding", get_args(PaddingKind)),
            ("upsampling", get_args(UpsamplingKind)),
            ("activation", get_args(ActivationKind)),
        ):
            if getattr(self, name) not in choices:
                raise ModelError(
                    f"A model's {name} is one of {', '.join(choices)}: {getattr(self, name)!r}."
                )

    def _check_scaling(self) -> None:
        """Refuse numbers of a fixed scaling that are none, and bounds that hold nothing."""
        numbers = (*self.gain, *self.offset, *(self.clip or ()))
        if not all(isinstance(number, int | float) and isfinite(number) for number in numbers):
            raise ModelError("A model's gain, offset and clip must be finite numbers.")
        counts = {len(self.gain), len(self.offset)}
        if self.normalization == "linear" and (
            counts != {self.in_channels} or min(self.gain) <= 0.0
        ):
            raise ModelError(
                "A model with a fixed scaling has a gain above 0 and an offset for each of its "
                f"{self.in_channels} channels: {self.gain}, {self.offset}."
            )
        if self.clip is not None and (len(self.clip) != 2 or not self.clip[0] < self.clip[1]):
            raise ModelError(f"A model's clip must be two ascending numbers: {self.clip}.")

    @property
    def sees_all(self) -> bool:
        """Whether what a tile gives depends on the whole tile, whatever the margin.

        Aligned corners stretch over the network's whole input, too.
        """
        return self.whole_slices or self.upsampling == "bilinear_aligned"

    def to_json(self) -> str:
        """Write the specification as JSON, for the header of a safetensors file."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read what :meth:`to_json` wrote; unknown keys, from newer versions, are passed over.

        Raises
        ------
        ModelError
            When the text is no specification.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            known = {f.name for f in fields(cls)}
            kept = {key: value for key, value in values.items() if key in known}
            for key in _TUPLES:
                if kept.get(key) is not None:
                    kept[key] = tuple(kept[key])
            return cls(**kept)
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"The model's description cannot be read: {error}") from error
