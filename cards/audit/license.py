"""Family "license": the license of the model is compatible with those of the base model and of the data."""

from __future__ import annotations

from cards.audit.claims import Claim, Subject, record_of
from cards.licenses import family, forbidden
from cards.record import RunRecord

FAMILY = "license"
CLARIFY = "State the license in the recipe (card.license, data.license) once it is known."


def check(subject: Subject) -> list[Claim]:
    """Compare the three licenses.

    Args:
        subject: the model under audit.

    Returns:
        The claims.

    Raises:
        InputError: if there is no record.
    """
    record = record_of(subject)
    return [_base(record), _data(record)]


def _base(record: RunRecord) -> Claim:
    statement = "The license of the model is compatible with that of the base model."
    base, license = record.model.base, record.card.license
    if base.weights == "random":
        if license is None:
            return Claim(FAMILY, statement, "cannot tell", "The model states no license.", CLARIFY)
        return Claim(FAMILY, statement, "holds", f"{license}; there is no base model.")
    if base.license is None or license is None:
        whose = "The model" if license is None else f"The base model {base.id}"
        return Claim(FAMILY, statement, "cannot tell", f"{whose} states no license.", CLARIFY)
    if reason := forbidden(license, base.license):
        evidence = f"Model {license}, base model {base.license}: {reason}."
        return Claim(FAMILY, statement, "broken", evidence, f"Publish under {base.license}.")
    return Claim(FAMILY, statement, "holds", f"Model {license}, base model {base.license}.")


def _data(record: RunRecord) -> Claim:
    statement = "The license of the model is compatible with that of the data."
    data, license = record.data.license, record.card.license
    if data is None or license is None:
        whose = f"The data set {record.data.id}" if data is None else "The model"
        return Claim(FAMILY, statement, "cannot tell", f"{whose} states no license.", CLARIFY)
    # Whether a model adapts its data is disputed; that its use is commercial if it is sold is not.
    if _non_commercial(data) and not _non_commercial(license):
        evidence = f"Model {license}, data {data}: the data allow no commercial use."
        return Claim(FAMILY, statement, "broken", evidence, "Publish under a license without commercial use.")
    return Claim(FAMILY, statement, "holds", f"Model {license}, data {data}.")


def _non_commercial(license: str) -> bool:
    return "nc" in family(license).split("-")
