"""Run an audit: all families of claims on one model."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from cards.audit.claims import Claim, Subject, collect
from cards.audit.registry import FAMILIES

HOLDS, BROKEN, CANNOT_TELL = 0, 1, 3


def audit(subject: Subject) -> list[Claim]:
    """Check all claims of a model. A check that fails is a claim that cannot be decided, not an error.

    Args:
        subject: the model, from `cards.audit.subject.open_subject`.

    Returns:
        The claims in the order of `cards.audit.registry.FAMILIES`.
    """
    return [
        claim for family, check in FAMILIES.items() for claim in collect(family, [partial(check, subject)])
    ]


def exit_code(claims: Iterable[Claim]) -> int:
    """Exit code of the command line.

    Args:
        claims: of one audit.

    Returns:
        0 if all hold, 1 if one is broken, 3 if none is broken and one cannot be decided.
    """
    verdicts = {claim.verdict for claim in claims}
    return BROKEN if "broken" in verdicts else CANNOT_TELL if "cannot tell" in verdicts else HOLDS
