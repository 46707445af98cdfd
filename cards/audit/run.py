"""Run an audit: all families of claims on one model."""

from __future__ import annotations

from collections.abc import Iterable

from cards.audit.claims import Claim, Subject, sentence
from cards.audit.registry import FAMILIES
from cards.errors import InputError

HOLDS, BROKEN, CANNOT_TELL = 0, 1, 3


def audit(subject: Subject) -> list[Claim]:
    """Check all claims of a model. A check that fails is a claim that cannot be decided, not an error.

    Args:
        subject: the model, from `cards.audit.subject.open_subject`.

    Returns:
        The claims in the order of `cards.audit.registry.FAMILIES`.
    """
    claims: list[Claim] = []
    for family, check in FAMILIES.items():
        try:
            claims += check(subject)
        except InputError as error:
            claims.append(
                _undecided(family, sentence(error), "Correct what the evidence names and audit again.")
            )
        except Exception as error:  # a model that nobody foresaw must not hide what the other families find
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            claims.append(_undecided(family, reason, "Report this as a defect of finetune."))
    return claims


def _undecided(family: str, evidence: str, remedy: str) -> Claim:
    return Claim(
        family, f"All claims of the family {family} can be checked.", "cannot tell", evidence, remedy
    )


def exit_code(claims: Iterable[Claim]) -> int:
    """Exit code of the command line.

    Args:
        claims: of one audit.

    Returns:
        0 if all hold, 1 if one is broken, 3 if none is broken and one cannot be decided.
    """
    verdicts = {claim.verdict for claim in claims}
    return BROKEN if "broken" in verdicts else CANNOT_TELL if "cannot tell" in verdicts else HOLDS
