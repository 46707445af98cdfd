"""Which licenses of a base model forbid the license that a recipe's card states.

What is trained from a model is an adaptation of it. A short table of the licenses that say under which
others an adaptation may go, and why; those that are not in it, such as MIT, BSD and Apache-2.0, ask for
attribution, which the card carries on, and forbid nothing here. It is no legal advice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cards.errors import RecipeError


@dataclass(frozen=True)
class Rule:
    """What a family of licenses asks of an adaptation.

    Attributes:
        keeps: families that the adaptation may be under; every family if empty.
        never: families that it may not be under.
        reason: in the license's terms, to end a sentence with.
    """

    keeps: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    reason: str = ""


NO_RIGHTS_RESERVED = frozenset({"cc0", "unlicense", "wtfpl", "pddl"})

RULES: dict[str, Rule] = {
    # Section 2(a)(1) of CC BY-NC 4.0 grants adaptations for NonCommercial purposes only.
    "cc-by-nc": Rule(
        keeps=frozenset({"cc-by-nc", "cc-by-nc-sa", "cc-by-nc-nd"}), reason="it allows no commercial use"
    ),
    # Section 3(b)(1): the adapter's license is a Creative Commons license with the same elements.
    "cc-by-nc-sa": Rule(
        keeps=frozenset({"cc-by-nc-sa"}),
        reason="it allows no commercial use, and adaptations under the same license only",
    ),
    # GPL-3.0 is a compatible license: https://creativecommons.org/compatiblelicenses
    "cc-by-sa": Rule(
        keeps=frozenset({"cc-by-sa", "gpl"}), reason="it allows adaptations under the same only"
    ),
    # Section 2(a)(1)(B): adaptations may be produced, but not shared.
    "cc-by-nd": Rule(keeps=frozenset({"cc-by-nd"}), reason="it allows no adaptation to be shared"),
    "cc-by-nc-nd": Rule(keeps=frozenset({"cc-by-nc-nd"}), reason="it allows no adaptation to be shared"),
    # Section 3(a): whoever shares must name the author; a waiver of all rights would drop that.
    "cc-by": Rule(never=NO_RIGHTS_RESERVED, reason="it asks for attribution"),
    # Sections 5(c) and 13 of GPL-3.0: modified versions under the same license, or combined with AGPL-3.0.
    "gpl": Rule(keeps=frozenset({"gpl", "agpl"}), reason="it allows modified versions under the same only"),
    "agpl": Rule(keeps=frozenset({"agpl"}), reason="it allows modified versions under the same only"),
}


def check_license(card: str | None, base: str | None, model: str) -> None:
    """Refuse a card license that contradicts that of the base model.

    Args:
        card: what the recipe states; None takes on the base model's.
        base: of the base model; None if none is known.
        model: the base model's name, for the error.

    Raises:
        RecipeError: naming both, and why they do not go together.
    """
    if not card or not base or forbidden(card, base) is None:
        return
    raise RecipeError(
        f"card.license: {card} contradicts {base}, the license of the base model {model}: "
        f"{forbidden(card, base)}; leave card.license out to take on {base}"
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
    if chosen in rule.never or (rule.keeps and chosen not in rule.keeps):
        return rule.reason
    return None


def family(license: str) -> str:
    """Strip version and variant from a license id: `CC-BY-NC-4.0` to `cc-by-nc`, `GPL-3.0-only` to `gpl`.

    Args:
        license: license id.

    Returns:
        Lowercase name of the license family.
    """
    name = re.sub(r"[\s_]+", "-", license.strip().lower())
    return re.sub(r"-v?\d+(\.\d+)*\+?(-.*)?$", "", name)
