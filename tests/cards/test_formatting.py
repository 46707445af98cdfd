from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cards import formatting as words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.duration(0.000432), "0.432 ms"),
        (words.duration(0.0432), "43.2 ms"),
        (words.duration(0.9994), "999 ms"),
        (words.duration(0.9999), "1 s"),
        (words.duration(59.99), "1 min 0 s"),
        (words.duration(1325.4), "22 min 5 s"),
        (words.duration(7380), "2 h 3 min"),
        (words.memory(2_684_354_560), "2.50 GiB"),
        (words.memory(629_145_600), "600.0 MiB"),
        (words.memory(12), "12 bytes"),
        (words.score(0.93121), "0.9312"),
        (words.signed(0.03), "+0.0300"),
        (words.signed(-0.01), "−0.0100"),
        (words.count(1234567), "1,234,567"),
        (words.counted(1, "image"), "1 image"),
        (words.counted(2000, "image"), "2,000 images"),
        (words.number(1e-05), "1e-05"),
        (words.speed(1.2071), "1.21 patches per second"),
        (words.speed(1234.4), "1,234 patches per second"),
        (words.mass(0.9999), "1 kg"),
        (words.stated(" "), "not stated"),
        (words.stated(None), "not stated"),
    ],
)
def test_wording(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    "word", [words.duration, words.memory, words.score, words.count, words.number, words.speed]
)
def test_what_is_missing_is_said(word):
    assert word(None) == "not measured"


@given(st.floats(min_value=1e-5, max_value=1e8))
def test_durations_are_plain_numbers(seconds):
    assert "e+" not in words.duration(seconds)
