"""Family "signature": the model is signed, the signature covers it, and a trusted person made it."""

from __future__ import annotations

from pathlib import Path

from cards.audit.claims import Claim, Subject
from cards.audit.hashing import sha256_of
from cards.errors import InputError, ModelError
from cards.provenance.bundle import Bundle, read_bundle
from cards.provenance.contents import Comparison, compare, names
from cards.provenance.names import SIGNATURE
from cards.provenance.trust import authenticate, need_signing
from cards.provenance.verification import signed_folders

FAMILY = "signature"
RESTORE = "Restore the files that were signed, or ask the author to sign the model again."


def check(subject: Subject) -> list[Claim]:
    """Check the signatures of a model. Hashes are compared in any case, the signer only if one is named.

    Args:
        subject: the model under audit; `subject.trust` names the signer.

    Returns:
        The claims.

    Raises:
        ModelError: if a signed file cannot be read.
    """
    statement = "The model is signed."
    if subject.kind == "package":
        remedy = "Ask its author for package.sig, then: finetune verify FOLDER --signature package.sig"
        return [Claim(FAMILY, statement, "cannot tell", "A package contains no signature.", remedy)]
    if not (subject.folder / SIGNATURE).is_file():
        remedy = "Sign the model with `finetune sign`, so that others can verify who made it."
        return [Claim(FAMILY, statement, "cannot tell", f"There is no {SIGNATURE}.", remedy)]
    return [
        claim
        for signature, folder in signed_folders(subject.folder)
        for claim in _signature(subject, signature, folder)
    ]


def _signature(subject: Subject, signature: Path, folder: Path) -> list[Claim]:
    name = signature.name
    statement = f"{name} is a signature in the format of the OpenSSF."
    try:
        bundle = read_bundle(signature)
    except ModelError as error:
        return [Claim(FAMILY, statement, "broken", str(error), "Sign the model again with `finetune sign`.")]
    compared = compare(folder, bundle, subject.record, sha256_of)
    return [
        Claim(FAMILY, statement, "holds", f"It signs {compared.signed} files, {_made_with(bundle)}."),
        _unchanged(name, compared, bundle),
        _covered(name, compared),
        _signer(subject, name, bundle),
    ]


def _made_with(bundle: Bundle) -> str:
    words = {"key": "with a key", "certificate": "with a certificate", "sigstore": "with Sigstore"}
    return words[bundle.method]


def _unchanged(name: str, compared: Comparison, bundle: Bundle) -> Claim:
    statement = f"All files that {name} signs are unchanged, and there is no other file."
    if len(compared.missing) + len(compared.different) == compared.signed:
        evidence = f"It signs another folder, {bundle.subject}: none of its {compared.signed} files is here."
        return Claim(FAMILY, statement, "broken", evidence, RESTORE)
    clauses = (
        ("changed after signing", compared.different),
        ("signed but missing", compared.missing),
        ("not signed", compared.unsigned),
    )
    if problems := [f"{words}: {names(paths)}" for words, paths in clauses if paths]:
        return Claim(FAMILY, statement, "broken", _sentence("; ".join(problems)), RESTORE)
    left_out = f"; left out by the signature: {names(compared.left_out)}" if compared.left_out else ""
    return Claim(FAMILY, statement, "holds", f"Hashes of {compared.signed} files compared{left_out}.")


def _covered(name: str, compared: Comparison) -> Claim:
    statement = f"{name} signs card, record and weights."
    if compared.unprotected:
        evidence = f"Not signed: {names(compared.unprotected)}."
        remedy = "Do not rely on the signature; ask the author to sign the whole folder."
        return Claim(FAMILY, statement, "broken", evidence, remedy)
    return Claim(FAMILY, statement, "holds", "Every such file in the folder is signed.")


def _signer(subject: Subject, name: str, bundle: Bundle) -> Claim:
    if subject.trust is None:
        remedy = {
            "key": "Audit with --key FILE, the public key of the author.",
            "certificate": "Audit with --certificate FILE, the certificate of an authority you trust.",
            "sigstore": "Audit with --identity NAME --issuer URL.",
        }[bundle.method]
        statement = f"{name} was made by somebody you trust."
        return Claim(FAMILY, statement, "cannot tell", "The signature was not verified.", remedy)
    statement = f"{name} was made by {subject.trust.who}."
    try:
        need_signing()
        outcome = authenticate(bundle, subject.trust)
    except InputError as error:
        return Claim(FAMILY, statement, "cannot tell", str(error), "Correct what the evidence names.")
    if outcome.genuine:
        return Claim(FAMILY, statement, "holds", _sentence(outcome.evidence))
    remedy = "Ask the author for the right key, or do not use the model."
    return Claim(FAMILY, statement, "broken", _sentence(outcome.evidence), remedy)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
