"""Changes under a signature, and signatures that cover less than the model or come from another person."""

from __future__ import annotations

import shutil

from cards.provenance.credentials import Credentials
from cards.provenance.signing import sign
from tamper_cases.edits import Change, Place, recorded, write_key
from tamper_cases.steps import README, better


def signed_then(change: Change) -> Change:
    def apply(place: Place) -> None:
        sign(place.run, Credentials(place.key))
        change(place)

    return apply


def signature_of_another(place: Place) -> None:
    """Sign the base model, and put its signature into the run."""
    base = place.run.parent / "signed-base"
    shutil.copytree(place.run.parent / "base", base)
    for path in sign(base, Credentials(place.key)):
        inside = path.relative_to(base)
        shutil.copyfile(path, place.run / inside)


def signed_without_card(place: Place) -> None:
    """Sign all files but the card with the author's key, and edit the card: the signature stays valid."""
    from model_signing import hashing, signing

    left_out = hashing.Config().set_ignored_paths(paths=["model.sig", README, "logs", "checkpoints"])
    signer = signing.Config().set_hashing_config(left_out).use_elliptic_key_signer(private_key=place.key)
    signer.sign(place.run, place.run / "model.sig")
    card = place.run / README
    card.write_text(card.read_text(encoding="utf-8") + "\nApproved for clinical use.\n", encoding="utf-8")


def signed_by_another(place: Place) -> None:
    """Change the record and sign the run again with another key."""
    recorded(better)(place)
    key = place.run.parent / "another.pem"
    write_key(key)
    sign(place.run, Credentials(key))
