"""The rows of the panel that say which model is used, and what it makes of the image."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSettings, Signal
from qtpy.QtWidgets import QFileDialog

from napari_slicewise.editing.wording import counted
from napari_slicewise.errors import ModelError, SlicewiseError
from napari_slicewise.inference.channels import channel_recipe
from napari_slicewise.io.source import ArraySource
from napari_slicewise.models.spec import ModelSpec
from napari_slicewise.models.zoo import bundled_models
from napari_slicewise.widgets.rows import Choice, Line, Rows

__all__ = ["ModelChooser", "describe_fit"]

_BROWSE = "<browse>"
_FILTER = "Weights (*.pt *.pth *.safetensors *.ckpt *.zip);;All files (*)"
_MOST_REMEMBERED = 8
_RECIPE_WORDS = {  # by recipe, and whether the image is in colour
    ("as is", True): "colour as it is",
    ("grey", True): "colour becomes grey",
    ("repeat", False): "the channel is fed three times",
}


class ModelChooser(Rows):
    """Chooser of a bundled model or of a file with weights.

    ``wanted`` asks for a file to be inspected; the answer comes back by :meth:`learn`.
    """

    changed = Signal()
    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, ModelSpec | SlicewiseError] = {}
        self._last = ""
        self._combo = Choice("model", "Model", "The network that finds the objects.")
        self._note = Line("model_note", "What the model expects and what is done for it.")
        self.add("Model", self._combo)
        self._note.dim()
        self.add_below(self._note)
        self._fill()
        self._last = self._combo.currentData() or ""
        self._combo.currentIndexChanged.connect(self._on_index)
        self._combo.activated.connect(self._on_activated)

    @property
    def model(self) -> str:
        """Name of a bundled model or path of a file; empty where there is none."""
        chosen = self._combo.currentData()
        return "" if chosen in (None, _BROWSE) else str(chosen)

    @property
    def spec(self) -> ModelSpec | None:
        """What the chosen model is; None while a file is being read."""
        answer = self._known.get(self.model)
        return answer if isinstance(answer, ModelSpec) else None

    def require(self) -> ModelSpec:
        """Return the chosen model's specification.

        Raises
        ------
        ModelError
            When there is none (yet), with the reason.
        """
        answer = self._known.get(self.model)
        if isinstance(answer, SlicewiseError):
            raise answer
        if answer is None and self.model:
            raise ModelError(f"{Path(self.model).name} is being read.")
        if answer is None:
            raise ModelError("There is no model.", "Choose a file with weights.")
        return answer

    def add_file(self, path: str) -> None:
        """Add a file with weights to the list and choose it."""
        if self._position(path) < 0:
            self._combo.insertItem(self._combo.count() - 1, Path(path).name, path)
        self._combo.setCurrentIndex(self._position(path))

    def learn(self, path: str, answer: ModelSpec | SlicewiseError) -> None:
        """Take the worker's answer on what a file is."""
        self._known[path] = answer
        position = self._position(path)
        if isinstance(answer, ModelSpec):
            _remember(path)
            if position >= 0:
                self._combo.setItemText(position, answer.title or Path(path).name)
        if path == self.model:
            self.changed.emit()

    def describe(self, source: ArraySource | None) -> None:
        """Say under the model what it expects and what will be done with the image."""
        answer = self._known.get(self.model)
        if isinstance(answer, ModelSpec):
            self._note.say(describe_fit(answer, source))
            self._combo.explain(_card(answer))
        elif isinstance(answer, SlicewiseError):
            self._note.say("No usable model", more=str(answer))
            self._combo.explain(str(answer))
        else:
            self._note.say("Reading the file…" if self.model else "")

    def _fill(self) -> None:
        try:
            specs = bundled_models()
        except SlicewiseError as error:
            specs = ()
            self._note.say("No bundled model", more=str(error))
        items = [(spec.title or spec.name, spec.name) for spec in specs]
        self._known.update({spec.name: spec for spec in specs})
        items += [(Path(path).name, path) for path in _remembered()]
        self._combo.fill([*items, ("Choose file…", _BROWSE)])

    def _on_index(self) -> None:
        model = self.model
        if not model:
            return
        self._last = model
        if model not in self._known:
            self.wanted.emit(model)
        self.changed.emit()

    def _on_activated(self) -> None:
        """Ask for a file; only a click or key does this, so that scripts never meet a dialog."""
        if self._combo.currentData() != _BROWSE:
            return
        self._combo.choose(self._last)
        folder = str(Path(self._last).parent) if Path(self._last).is_file() else ""
        path, _ = QFileDialog.getOpenFileName(self, "Choose a file with weights", folder, _FILTER)
        if path:
            self.add_file(path)

    def _position(self, model: str) -> int:
        return next((i for i in range(self._combo.count()) if self._combo.itemData(i) == model), -1)


def describe_fit(spec: ModelSpec, source: ArraySource | None) -> str:
    """Say what a model expects, and what is done with the image for it."""
    parts = [f"takes {counted(spec.in_channels, 'channel')}"]
    if source is not None:
        try:
            recipe = channel_recipe(spec, source.channels, rgb=source.rgb)
            done = _RECIPE_WORDS.get((recipe, source.rgb), "")
        except ModelError:
            done = f"the image gives {source.channels}"
        parts += [done] if done else []
    if spec.pixel_um:
        parts.append(f"trained at {spec.pixel_um:g} µm a pixel")
    if spec.output == "classes":
        names = ", ".join(spec.class_names) or f"{spec.out_channels} classes"
        parts.append(f"finds {names}")
    return " · ".join(parts)


def _card(spec: ModelSpec) -> str:
    """Return a model's card for a tooltip."""
    scores = ", ".join(f"{what} {value:.3g}" for what, value in spec.scores.items())
    lines = [
        spec.title or spec.name,
        spec.description,
        f"Scores: {scores}" if scores else "",
        f"Source: {spec.source}" if spec.source else "",
        f"Licence: {spec.licence}" if spec.licence else "",
    ]
    return "\n".join(line for line in lines if line)


def _settings() -> QSettings:
    return QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-slicewise", "models"
    )


def _remembered() -> list[str]:
    """Return the files that were chosen earlier and are still there, the latest first."""
    paths = _settings().value("files", [])
    known = [paths] if isinstance(paths, str) else list(paths or [])
    return [path for path in known if Path(path).is_file()]


def _remember(path: str) -> None:
    files = [path, *(known for known in _remembered() if known != path)]
    _settings().setValue("files", files[:_MOST_REMEMBERED])
