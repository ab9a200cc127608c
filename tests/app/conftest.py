"""Fixtures of the controller tests."""

from support.random_models import random_model_path  # noqa: F401
