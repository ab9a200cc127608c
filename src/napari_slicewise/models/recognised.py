"""A network that was known by its tensors, before what they leave open is settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from napari_slicewise.models.questions import Question, chosen
from napari_slicewise.models.spec import ModelSpec

__all__ = ["Recognised", "Settle", "State"]

State = dict[str, Tensor]
Settle = Callable[[Mapping[str, str], frozenset[str]], tuple[ModelSpec, State]]
"""From a value for each question, and the keys that were answered, to network and weights."""


@dataclass(frozen=True, eq=False)
class Recognised:
    """What a state_dict was found to be.

    Parameters
    ----------
    questions
        What its tensors leave open.
    make
        Makes specification and weights, under the keys of the network, from the values.
    """

    questions: tuple[Question, ...]
    make: Settle

    def settle(self, answers: Mapping[str, str]) -> tuple[ModelSpec, State]:
        """Return specification, without a name, and weights.

        Parameters
        ----------
        answers
            To any of the questions; the guess is taken for the others.

        Raises
        ------
        ModelError
            When an answer does not fit.
        """
        return self.make(chosen(self.questions, answers), frozenset(answers))
