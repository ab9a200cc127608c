"""Colours of the form's own texts, on a dark or on a light ground."""

from __future__ import annotations

__all__ = ["form_style"]


def form_style(*, dark: bool) -> str:
    """Return the style sheet: what is said beside a field is smaller and fainter than it."""
    faint, red = ("#a8abb3", "#ff9a8c") if dark else ("#5a5a60", "#a01818")
    return (
        f'QLabel[dim="true"] {{ color: {faint}; font-size: 11px; }}'
        f" QLabel#misfit {{ color: {red}; }}"
        " #model_questions QComboBox { font-size: 11px; }"  # answers are whole sentences
    )
