"""Numbers of objects as text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_slicewise.io.packed_numbers import pack_numbers, unpack_numbers


def test_what_was_packed_comes_back_bit_by_bit():
    values = np.random.default_rng(0).random(200, np.float32).tolist()
    numbers = dict(zip(range(1, 4_000_000_000, 19_999_999), values, strict=False))
    text = json.loads(json.dumps(pack_numbers(numbers)))
    assert unpack_numbers(text) == numbers
    assert len(text) < 11 * len(numbers)
    assert unpack_numbers(pack_numbers({})) == {}
    assert unpack_numbers("") == {}


@pytest.mark.parametrize("text", ["äö", "AAA", "AAAA"])
def test_what_nobody_packed_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        unpack_numbers(text)
