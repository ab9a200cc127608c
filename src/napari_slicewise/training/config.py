"""How a network is trained: every number that the loop uses."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_slicewise.errors import RequestError

__all__ = ["TrainingConfig", "Variation"]


@dataclass(frozen=True)
class Variation:
    """How much patches are varied. Chances are from 0 to 1.

    Parameters
    ----------
    scales
        Smallest and largest magnification.
    near
        Chance of a magnification within a fifth of 1, else anywhere in ``scales``.
    stretch
        Largest stretch of one axis against the other, as a logarithm.
    rotate
        Chance of any angle; else a multiple of 90 degrees. Flips are always drawn.
    elastic
        Chance of an elastic deformation.
    elastic_px, elastic_grid
        Standard deviation of its random displacements in pixels of the patch, and how many
        of them there are along each axis.
    intensity
        Factor on the chances of all changes of intensity.
    plain
        Chance of no change of intensity at all.
    dim, rough
        Chances that single objects are dimmed, or get a texture: for bright objects on dark
        ground.
    empty
        Chance of a drawn patch without objects.
    """

    scales: tuple[float, float] = (0.75, 1.33)
    near: float = 0.35
    stretch: float = 0.08
    rotate: float = 0.4
    elastic: float = 0.5
    elastic_px: float = 10.0
    elastic_grid: int = 3
    intensity: float = 0.7
    plain: float = 0.2
    dim: float = 0.0
    rough: float = 0.0
    empty: float = 0.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.scales[0] <= self.scales[1] <= 20.0:
            raise RequestError(f"Scales must ascend within 0.05..20, not {self.scales}.")
        if self.elastic_grid < 2 or self.elastic_px < 0:
            raise RequestError("An elastic deformation needs a grid of 2 x 2 or more.")


@dataclass(frozen=True)
class TrainingConfig:
    """Options of one training run.

    Parameters
    ----------
    minutes
        Time the run may take. The learning rate follows the clock, so that the cosine
        decay is complete on a slow machine too.
    steps
        Steps instead: the learning rate follows them, and a seed gives the same weights.
    batch
        Patches of one step.
    patch
        Side of a patch in pixels, a multiple of 16.
    learning_rate
        Peak of the learning rate.
    final_rate
        What is left of it at the end, as a fraction of the peak.
    warmup
        Fraction of the run in which the learning rate rises.
    weight_decay
        Of AdamW; not applied to biases and batch norm.
    anchor
        Strength of the pull towards the weights that the training began with, times the
        learning rate a step. It keeps what a known network has learned before.
    keep_statistics
        Whether batch norm keeps the means and variances it has, as in inference.
    rehearse
        Share of the patches that come from what the known network learned from before,
        where such patches lie beside its weights.
    average
        Decay of the moving average of the weights, a step.
    distance_weight
        Weight of the second channel's loss beside the foreground's.
    border_weight, border_sigma
        ``w0`` and ``sigma`` (in pixels) of equation 2 of Ronneberger et al. 2015: how much
        background weighs between objects that are close to each other.
    small_weight, dim_weight
        Largest weight of small objects, and of dim ones.
    seed
        Of the weights, the patches and their variation.
    validations
        Validations in the run.
    scored_pieces
        Held-out pieces that each looks at, at most.
    patience
        Fraction of the run without a better score after which it ends; above 1 never.
    save_minutes
        Time between two saved states.
    variation
        How patches are varied.
    """

    minutes: float = 60.0
    steps: int | None = None
    batch: int = 8
    patch: int = 192
    learning_rate: float = 2e-3
    final_rate: float = 0.005
    warmup: float = 0.03
    weight_decay: float = 0.02
    anchor: float = 0.0
    keep_statistics: bool = False
    rehearse: float = 0.0
    average: float = 0.998
    distance_weight: float = 2.0
    border_weight: float = 10.0
    border_sigma: float = 5.0
    small_weight: float = 2.5
    dim_weight: float = 2.0
    seed: int = 0
    validations: int = 20
    scored_pieces: int = 12
    patience: float = 0.5
    save_minutes: float = 2.0
    variation: Variation = field(default_factory=Variation)

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise RequestError(f"Training needs more than {self.minutes} minutes.")
        if self.steps is not None and self.steps < 1:
            raise RequestError(f"Training needs one step or more, not {self.steps}.")
        if self.batch < 1:
            raise RequestError(f"A batch holds one patch or more, got {self.batch}.")
        if self.patch < 16 or self.patch % 16:
            raise RequestError(f"A patch's side must be a multiple of 16, got {self.patch}.")
        if self.border_weight < 0 or self.border_sigma <= 0:
            raise RequestError("The weight of borders must not be negative, nor its sigma 0.")
