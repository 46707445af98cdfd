"""Licenses that a card may state for a given base model."""

from __future__ import annotations

import pytest

from cards.errors import InputError
from cards.licenses import RULES, check_license, family, forbidden


@pytest.mark.parametrize(
    ("base", "card"),
    [
        ("CC-BY-NC-4.0", "MIT"),
        ("cc-by-nc-4.0", "CC-BY-4.0"),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-4.0"),
        ("CC-BY-SA-4.0", "CC-BY-4.0"),
        ("CC-BY-ND-4.0", "MIT"),
        ("CC-BY-4.0", "CC0-1.0"),
        ("GPL-3.0-only", "BSD-3-Clause"),
        ("AGPL-3.0-or-later", "GPL-3.0-or-later"),
    ],
)
def test_a_contradiction_names_both_and_says_why(base, card):
    with pytest.raises(InputError) as caught:
        check_license(card, base, "tiny")
    message = str(caught.value)
    assert message.startswith(
        f"card.license: {card} contradicts {base}, the license of the base model tiny: "
    )
    assert forbidden(card, base) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("base", "card"),
    [
        ("MIT", "Apache-2.0"),
        ("BSD-3-Clause", "CC-BY-NC-4.0"),
        ("CC-BY-4.0", "MIT"),
        ("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"),
        ("CC-BY-SA-4.0", "GPL-3.0-only"),
        ("GPL-3.0-only", "AGPL-3.0-only"),
        ("something of our own", "MIT"),
        (None, "MIT"),
        ("CC-BY-NC-4.0", None),
    ],
)
def test_what_goes_together(base, card):
    check_license(card, base, "tiny")


@pytest.mark.parametrize("base", RULES)
def test_a_license_never_forbids_itself(base):
    assert forbidden(base, base) is None
    assert forbidden(f"{base.upper()}-4.0", f"{base}-3.0") is None


def test_family_drops_version_and_port():
    assert family("CC-BY-NC-4.0") == "cc-by-nc"
    assert family("cc-by-sa-3.0-de") == "cc-by-sa"
    assert family("GPL-3.0-or-later") == "gpl"
    assert family("GPL-2.0+") == "gpl"
    assert family("CC0-1.0") == "cc0"
