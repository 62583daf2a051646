"""`sign`: a signature of what the gate lets pass, by OpenSSF's model-signing; and whether what lies there now is signed.

Signed is a statement a model: the digests of all files of its version and of its evidence, the policy, and the verdict. The gate
makes the statement anew from the bytes, so that a signature holds for these bytes and this verdict, or not at all. No network is
used.
"""

from pathlib import Path
from typing import Any

from reloadgate.errors import UsageError
from reloadgate.extras import need
from reloadgate.files import scratch
from reloadgate.nouns import SCHEMA_VERSION, canonical, noun, to_dict
from reloadgate.policy import Policy, Signed
from reloadgate.project import file_name_of
from reloadgate.text import error_line
from reloadgate.verdict import ModelVerdict, Verdict

SIGNATURES = Path("reports/signatures")


@noun
class Signer:
    """A private key (elliptic curve, PEM), and the certificates that vouch for it, if any: its own first, then the chain."""

    key: str
    certificates: tuple[str, ...] = ()


def sign(verdict: Verdict, signer: Signer, folder: Path = SIGNATURES) -> list[Path]:
    """Sign the statement of every model of a verdict.

    Returns:
        The signatures, a file a model.

    Raises:
        UsageError: model-signing is not installed, or the key or a certificate cannot be read.
    """
    need("sign", "`reloadgate sign`")
    from model_signing import signing

    config, made = signing.Config(), []
    try:
        if signer.certificates:
            own, *chain = signer.certificates
            config.use_certificate_signer(private_key=signer.key, signing_certificate=own, certificate_chain=chain)
        else:
            config.use_elliptic_key_signer(private_key=signer.key)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{signer.key} is no private key that can sign: {error_line(error)}") from None
    folder.mkdir(parents=True, exist_ok=True)
    for model in verdict.models:
        with scratch("sign") as place:
            _state(model, verdict.policy, place)
            made.append(signature_of(folder, model))
            config.sign(place / "statement", made[-1])
    return made


def unsigned(verdict: Verdict, signed: Signed, folder: Path = SIGNATURES) -> list[str]:
    """What of a verdict carries no signature that the policy takes, each with the reason."""
    need("sign", "the policy `signed`")
    objections = []
    for model in verdict.models:
        path = signature_of(folder, model)
        if not path.is_file():
            objections.append(f"{model.model} is not signed: there is no {path}; `reloadgate sign --key KEY` makes it")
            continue
        with scratch("signed") as place:
            _state(model, verdict.policy, place)
            try:
                _verifier(signed).verify(place / "statement", path)
            except Exception as error:  # model-signing, cryptography and json each have their own
                objections.append(f"{path} is no signature of these bytes and this verdict: {error_line(error, 200)}")
    return objections


def signature_of(folder: Path, model: ModelVerdict) -> Path:
    """Where a model's signature lies."""
    return folder / f"{file_name_of(model.model)}.sig"


def _state(model: ModelVerdict, policy: Policy, place: Path) -> None:
    statement = {
        "schema_version": SCHEMA_VERSION,
        "model": model.model,
        "version": model.version,
        "files": model.files,
        "evidence_sha256": model.saved_sha256,
        "policy": to_dict(policy),
        "verdict": str(model.status),
    }
    (place / "statement").mkdir()
    (place / "statement/statement.json").write_bytes(canonical(statement))


def _verifier(signed: Signed) -> Any:
    from model_signing import verifying

    config = verifying.Config()
    if signed.key is not None:
        return config.use_elliptic_key_verifier(public_key=signed.key)
    return config.use_certificate_verifier(certificate_chain=list(signed.certificates))
