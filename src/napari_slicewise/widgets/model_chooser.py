"""The rows of the panel that say which model is used, and what it makes of the image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog

from napari_slicewise.app.models import ModelCard, card_of, describe_fit
from napari_slicewise.errors import ConsentNeededError, ModelError, SlicewiseError
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.answers import Inquiry
from napari_slicewise.models.consent import trust
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import bundled_models, resolve_model, thumbnail
from napari_slicewise.widgets.model_card import CardButton, CardLines, Thumbnail
from napari_slicewise.widgets.model_consent import ConsentBar
from napari_slicewise.widgets.model_list import BROWSE, ModelList
from napari_slicewise.widgets.model_questions import ModelQuestions
from napari_slicewise.widgets.model_recent import remember_model
from napari_slicewise.widgets.rows import Rows, side_by_side

__all__ = ["ModelChooser"]

_FILTER = "Models (*.safetensors *.pt *.pth *.ckpt *.bin *.onnx *.zip *.yaml *.yml);;All files (*)"


@dataclass(frozen=True, eq=False)
class _Known:
    """What has been found out about a model; an error stands for what it cannot be."""

    answer: ModelSpec | SlicewiseError
    card: ModelCard | None = None
    picture: bytes | None = None


class ModelChooser(Rows):
    """Chooser of a bundled model or of a file with weights.

    ``wanted`` asks for a file to be inspected, ``answered`` for it to be inspected with
    answers to what it leaves open; what comes back goes to :meth:`inquire` and :meth:`learn`.
    """

    changed = Signal()
    wanted = Signal(str)
    answered = Signal(str, dict)

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, _Known] = {}
        self._inquiries: dict[str, Inquiry] = {}
        self._sent: dict[str, dict[str, str]] = {}  # answers that are on their way
        self._combo = ModelList(self._bundled())
        self._details = CardButton()
        self._picture = Thumbnail()
        self._lines = CardLines()
        self.questions = ModelQuestions()
        self._consent = ConsentBar()
        self._last = self._usable = self.model
        self._lay_out()
        self._combo.currentIndexChanged.connect(self._on_index)
        self._combo.activated.connect(self._on_activated)
        self.questions.answered.connect(self._on_answer)
        self._consent.agreed.connect(self._on_consent)
        self._consent.declined.connect(self.go_back)

    @property
    def model(self) -> str:
        """Name of a bundled model or path of a file; empty where there is none."""
        return self._combo.model_name

    @property
    def spec(self) -> ModelSpec | None:
        """What the chosen model is; None while a file is being read."""
        known = self._known.get(self.model)
        return known.answer if known and isinstance(known.answer, ModelSpec) else None

    @property
    def answers(self) -> tuple[tuple[str, str], ...]:
        """The answers that :attr:`spec` was made with, by question; empty without any."""
        inquiry = self._inquiries.get(self.model)
        return () if inquiry is None else tuple(sorted(inquiry.answers.items()))

    @property
    def error(self) -> SlicewiseError | None:
        """Why the chosen file is no model; None where it is one, or is being read."""
        known = self._known.get(self.model)
        return known.answer if known and isinstance(known.answer, SlicewiseError) else None

    def require(self) -> ModelSpec:
        """Return the chosen model's specification.

        Raises
        ------
        ModelError
            When there is none (yet), with the reason.
        """
        if isinstance(self.error, ConsentNeededError):
            raise ModelError(
                f"{Path(self.model).name} is a program, and was not allowed to run.",
                "Read the warning, or choose another model.",
            )
        if self.error is not None:
            raise self.error
        if self.spec is None and self.model:
            raise ModelError(f"{Path(self.model).name} is being read.")
        if self.spec is None:
            raise ModelError("There is no model.", "Choose a file with weights.")
        return self.spec

    def add_file(self, path: str) -> None:
        """Add a file with weights to the list and choose it; read it again if it is chosen."""
        again = path == self.model
        self._combo.offer(path)
        self._combo.choose(path)
        if again:
            self.read_again()

    def read_again(self) -> None:
        """Have the chosen file inspected once more: it, or what is known of it, has changed."""
        self._known.pop(self.model, None)
        self.wanted.emit(self.model)
        self.changed.emit()

    def go_back(self) -> None:
        """Choose the model again that was used before this one."""
        self._combo.choose(self._usable)

    def inquire(self, path: str, inquiry: Inquiry) -> None:
        """Take what the worker found to be open of a file; :meth:`learn` follows."""
        self._inquiries[path] = inquiry
        if self._sent.get(path, dict(inquiry.answers)) == dict(inquiry.answers):
            self._sent.pop(path, None)
            if path == self.model:
                self.questions.ask(inquiry)

    def learn(self, path: str, answer: ModelSpec | SlicewiseError) -> None:
        """Take the worker's answer on what a file is."""
        if isinstance(answer, ModelSpec):
            self._known[path] = _look_at(path, answer)
            title = self._known[path].card.title if self._known[path].card else answer.name
            remember_model(path, title)
            self._combo.name(path, title)
        else:
            self._known[path] = _Known(answer)
        if path == self.model:
            self.changed.emit()

    def give_up(self, error: SlicewiseError) -> None:
        """Wait no more for a file: what was reading it has died."""
        if self.model and self.spec is None and self.error is None:
            name = Path(self.model).name
            self.learn(self.model, ModelError(f"{name} could not be read: {error.message}"))

    def describe(self, source: ArraySource | None) -> None:
        """Say under the model what it is and what will be done with the image."""
        known = self._known.get(self.model)
        spec = self.spec
        card = None if known is None else known.card
        self._details.show_card(card)
        self._picture.show_picture(None if known is None else known.picture)
        self._lines.show_card(card)
        if spec is not None:
            self._usable = self.model
            self._lines.say(describe_fit(spec, source))
            self._combo.explain(card.text if card else "")
        elif isinstance(self.error, ConsentNeededError):
            self._lines.say("Not loaded")
        elif self.error is not None:
            self._lines.say("No usable model", more=str(self.error))
            self._combo.explain(str(self.error))
        else:
            self._lines.say("Reading the file…" if self.model else "")
        self._ask_consent()

    def follow_theme(self, *, dark: bool) -> None:
        """Take colours that are seen on a dark or on a light ground."""
        self._consent.follow_theme(dark=dark)

    def _lay_out(self) -> None:
        self.add("Model", side_by_side(self._combo, self._details))
        row = self._grid.rowCount()
        self._grid.addWidget(self._picture, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(self._lines, row, 1, Qt.AlignmentFlag.AlignTop)
        self.add_across(self._consent)
        self.add_across(self.questions)

    def _bundled(self) -> list[tuple[str, str]]:
        try:
            specs = bundled_models()
        except SlicewiseError as error:
            self._known[""] = _Known(error)
            return []
        self._known.update({spec.name: _look_at(spec.name, spec) for spec in specs})
        return [(spec.title or spec.name, spec.name) for spec in specs]

    def _on_index(self) -> None:
        model = self.model
        if not model:
            return
        self._last = model
        self.questions.ask(self._inquiries.get(model, Inquiry()))
        if self.spec is None:  # it may be better now than when it was read last
            self._known.pop(model, None)
            self.wanted.emit(model)
        self.changed.emit()

    def _on_answer(self) -> None:
        """Have the model made anew; until it is there, the one shown stays as it is."""
        answers = self.questions.answers
        self._sent[self.model] = answers
        self.answered.emit(self.model, answers)

    def _ask_consent(self) -> None:
        """Show the warning where the chosen file is a program, and hide it elsewhere."""
        error = self.error
        if isinstance(error, ConsentNeededError):
            warning = error.message.replace(error.path, Path(error.path).name)
            self._consent.ask(warning, error.sha256)
        else:
            self._consent.hide()

    def _on_consent(self) -> None:
        error = self.error
        if not isinstance(error, ConsentNeededError):
            return
        try:
            trust(error.sha256, Path(error.path).name)
        except SlicewiseError as trouble:
            self.learn(self.model, trouble)
        else:
            self.read_again()

    def _on_activated(self) -> None:
        """Ask for a file; only a click or key does this, so that scripts never meet a dialog."""
        if self._combo.currentData() != BROWSE:
            return
        self._combo.choose(self._last)
        folder = str(Path(self._last).parent) if Path(self._last).is_file() else ""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", folder, _FILTER)
        if path:
            self.add_file(path)


def _look_at(model: str, spec: ModelSpec) -> _Known:
    """Make a model's card, and get its picture."""
    try:
        path = resolve_model(model)
        return _Known(spec, card_of(spec, path), thumbnail(path))
    except (SlicewiseError, OSError):  # moved away in the meantime, or a test's own
        return _Known(spec, card_of(spec))
