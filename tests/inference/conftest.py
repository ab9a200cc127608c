"""Fixtures of the inference tests."""

from support.random_models import random_model, random_model_path  # noqa: F401
