"""Compatibility of the license on a card with the license of the base model.

A fine-tuned model is an adaptation of its base model. `RULES` lists the licenses that restrict the license
of adaptations. Licenses that are not listed, such as MIT, BSD and Apache-2.0, require attribution, which the
card gives, and restrict nothing else here. This is no legal advice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cards.errors import RecipeError


@dataclass(frozen=True)
class Rule:
    """Restrictions of a license family on the license of adaptations.

    Attributes:
        allowed: families that the adaptation may be licensed under; every family if empty.
        excluded: families that the adaptation may not be licensed under.
        reason: clause that ends a sentence, for error messages.
    """

    allowed: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    reason: str = ""


# Families whose licenses restrict no purpose of use; those with "nc" in their name exclude commercial use.
ANY_PURPOSE = frozenset(
    {"0bsd", "agpl", "apache", "artistic", "bsd", "cc-by", "cc-by-sa", "cc0", "epl", "eupl", "gpl", "isc"}
    | {"lgpl", "mit", "mpl", "pddl", "unlicense", "wtfpl", "zlib"}
)
NO_RIGHTS_RESERVED = frozenset({"cc0", "unlicense", "wtfpl", "pddl"})

RULES: dict[str, Rule] = {
    # Section 2(a)(1) of CC BY-NC 4.0 grants adaptations for NonCommercial purposes only.
    "cc-by-nc": Rule(
        allowed=frozenset({"cc-by-nc", "cc-by-nc-sa", "cc-by-nc-nd"}), reason="it allows no commercial use"
    ),
    # Section 3(b)(1): the adapter's license is a Creative Commons license with the same elements.
    "cc-by-nc-sa": Rule(
        allowed=frozenset({"cc-by-nc-sa"}),
        reason="it allows no commercial use, and adaptations under the same license only",
    ),
    # GPL-3.0 is a compatible license: https://creativecommons.org/compatiblelicenses
    "cc-by-sa": Rule(
        allowed=frozenset({"cc-by-sa", "gpl"}), reason="it allows adaptations under the same license only"
    ),
    # Section 2(a)(1)(B): adaptations may be produced, but not shared.
    "cc-by-nd": Rule(allowed=frozenset({"cc-by-nd"}), reason="it allows no adaptation to be shared"),
    "cc-by-nc-nd": Rule(allowed=frozenset({"cc-by-nc-nd"}), reason="it allows no adaptation to be shared"),
    # Section 3(a): whoever shares must name the author; a waiver of all rights would drop that.
    "cc-by": Rule(excluded=NO_RIGHTS_RESERVED, reason="it requires attribution"),
    # Sections 5(c) and 13 of GPL-3.0: modified versions under the same license, or combined with AGPL-3.0.
    "gpl": Rule(
        allowed=frozenset({"gpl", "agpl"}), reason="it allows modified versions under the same license only"
    ),
    "agpl": Rule(
        allowed=frozenset({"agpl"}), reason="it allows modified versions under the same license only"
    ),
}


def check_license(card: str | None, base: str | None, model: str) -> None:
    """Check that the license on a card is compatible with the license of the base model.

    Args:
        card: license id in the recipe; None inherits the license of the base model.
        base: license id of the base model; None if it is unknown.
        model: name of the base model, for the error message.

    Raises:
        RecipeError: if the licenses are incompatible, with both licenses and the reason.
    """
    if card and base and (reason := forbidden(card, base)):
        raise RecipeError(
            f"card.license: {card} contradicts {base}, the license of the base model {model}: {reason}; "
            f"remove card.license to inherit {base}"
        )


def forbidden(card: str, base: str) -> str | None:
    """Check whether a fine-tuned model may have another license than its base model.

    Args:
        card: license of the fine-tuned model.
        base: license of the base model.

    Returns:
        The reason if it may not; None if it may.
    """
    rule = RULES.get(family(base))
    if rule is None:
        return None
    chosen = family(card)
    if chosen in rule.excluded or (rule.allowed and chosen not in rule.allowed):
        return rule.reason
    return None


def allows_commercial_use(license: str) -> bool | None:
    """Check whether a license allows commercial use.

    Args:
        license: license id.

    Returns:
        None for a license that is not known here.
    """
    name = family(license)
    if "nc" in name.split("-"):
        return False
    return True if name in ANY_PURPOSE else None


def family(license: str) -> str:
    """Strip version and variant from a license id: `CC-BY-NC-4.0` to `cc-by-nc`, `GPL-3.0-only` to `gpl`.

    Args:
        license: license id.

    Returns:
        Lowercase name of the license family.
    """
    name = re.sub(r"[\s_]+", "-", license.strip().lower())
    return re.sub(r"-v?\d+(\.\d+)*\+?(-.*)?$", "", name)
