"""What a file of weights leaves open: questions with choices, and what answers change.

No torch here: the panel shows the questions. They are answered by plain words, so that the
answers can be kept as text beside the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from napari_slicewise.errors import ModelError
from napari_slicewise.models.spec import ModelSpec

__all__ = [
    "Question",
    "answer_spec",
    "chosen",
    "fitting_answers",
    "interpolation_question",
    "last_relu_question",
    "skip_order_question",
    "spec_questions",
]


@dataclass(frozen=True)
class Question:
    """Something that the tensors of a file do not tell.

    Parameters
    ----------
    key
        Its name among the answers.
    text
        As the user is asked.
    choices
        ``(value, label)`` each: what an answer says, and what the user reads.
    guess
        The value that is taken without an answer.
    """

    key: str
    text: str
    choices: tuple[tuple[str, str], ...]
    guess: str

    def __post_init__(self) -> None:
        if self.guess not in self.values:
            raise ModelError(f"{self.guess!r} is no answer to {self.key!r}.")

    @property
    def values(self) -> tuple[str, ...]:
        """What can be answered."""
        return tuple(value for value, _ in self.choices)


def spec_questions(spec: ModelSpec) -> tuple[Question, ...]:
    """Return what any network's tensors leave open: pixels in, and numbers out.

    Parameters
    ----------
    spec
        The best guess.
    """
    questions = [_scaling(spec)]
    if spec.output == "foreground" and spec.activation == "none":
        return (*questions, _logit(spec))
    if spec.output == "classes":
        questions.append(_classes(spec))
        if spec.out_channels == 2:
            questions.append(_foreground(spec))
    return tuple(questions)


def chosen(questions: Iterable[Question], answers: Mapping[str, str]) -> dict[str, str]:
    """Return a value for each question: the answer, or else the guess.

    Raises
    ------
    ModelError
        When an answer is none of the choices, or to no question.
    """
    asked = {question.key: question for question in questions}
    for key, value in answers.items():
        if key not in asked:
            raise ModelError(
                f"This file leaves nothing open that is called {key!r}.",
                f"Open are: {', '.join(asked) or 'none'}.",
            )
        if value not in asked[key].values:
            raise ModelError(
                f"{value!r} is no answer to {key!r}.",
                f"Choose one of {', '.join(asked[key].values)}.",
            )
    return {key: answers.get(key, question.guess) for key, question in asked.items()}


def fitting_answers(questions: Iterable[Question], answers: Mapping[str, str]) -> dict[str, str]:
    """Return those of the answers that these questions can take; kept ones may be outdated."""
    values = {question.key: question.values for question in questions}
    return {key: value for key, value in answers.items() if value in values.get(key, ())}


def answer_spec(spec: ModelSpec, values: Mapping[str, str]) -> ModelSpec:
    """Bring the answers to :func:`spec_questions` into a specification.

    Parameters
    ----------
    spec
        The best guess.
    values
        By key; what is missing, or none of these questions, changes nothing.
    """
    scaling = values.get("scaling")
    if scaling is not None:
        spec = replace(spec, normalization=scaling)  # type: ignore[arg-type]
    logit = values.get("logit")
    if logit is not None:
        spec = replace(spec, activation="auto" if logit == "sigmoid" else "none")
    classes = values.get("classes")
    if classes is None:
        return spec
    first = 1 if values.get("foreground") == "0" else 0
    kind, _, background = classes.partition("+")
    of_own = kind == "sigmoid" and not background
    return replace(
        spec,
        activation=kind,  # type: ignore[arg-type]
        background=None if of_own else first,
    )


def _scaling(spec: ModelSpec) -> Question:
    return Question(
        "scaling",
        "How were the pixels scaled for this network?",
        (
            ("divide_by_255", "8-bit values divided by 255"),
            ("percentile", "Stretched between a low and a high percentile"),
            ("z_score", "To mean 0 and standard deviation 1"),
            ("none", "Not at all"),
        ),
        spec.normalization,
    )


def _logit(spec: ModelSpec) -> Question:
    return Question(
        "logit",
        "What does the network give?",
        (
            ("none", "The probability of the foreground"),
            ("sigmoid", "Its logit (a sigmoid is still to be applied)"),
        ),
        spec.activation,
    )


def _classes(spec: ModelSpec) -> Question:
    """Ask what several channels are; the value names the activation, and ``+`` a background."""
    count = spec.out_channels
    if spec.activation == "none":
        guess = "none+background"
    elif spec.activation == "sigmoid":
        guess = "sigmoid" if spec.background is None else "sigmoid+background"
    else:
        guess = "softmax"
    ready = (("none+background", "They are probabilities already"),)
    return Question(
        "classes",
        f"What are the {count} channels that the network gives?",
        (
            ("softmax", "One class a pixel (softmax), a background among them"),
            ("sigmoid", "Each a class of its own (sigmoid), none of them the background"),
            ("sigmoid+background", "Each by itself (sigmoid), a background among them"),
            *(ready if spec.activation == "none" else ()),
        ),
        guess,
    )


def _foreground(spec: ModelSpec) -> Question:
    return Question(
        "foreground",
        "Which of the two channels is the foreground?",
        (("1", "The second"), ("0", "The first")),
        "0" if spec.background == 1 else "1",
    )


def skip_order_question(guess: str) -> Question:
    """Ask in which order a network of unknown names joins its two kinds of features."""
    return Question(
        "skip_order",
        "Which comes first where the network joins a skip with what it upsampled?",
        (("upsampled_first", "The upsampled channels"), ("skip_first", "The skip")),
        guess,
    )


def interpolation_question(guess: str) -> Question:
    """Ask how a network without transposed convolutions doubles the sides."""
    return Question(
        "interpolation",
        "How does the network double the sides of its features?",
        (
            ("bilinear", "Bilinear"),
            ("bilinear_aligned", "Bilinear with aligned corners"),
            ("nearest", "Nearest neighbour"),
        ),
        guess,
    )


def last_relu_question(guess: str = "no") -> Question:
    """Ask which of its two forms a sixty-line network has."""
    return Question(
        "last_relu",
        "Does a ReLU follow the second convolution of each block?",
        (("no", "No"), ("yes", "Yes")),
        guess,
    )
