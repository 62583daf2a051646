"""Signatures: of these bytes and this verdict, by this key, or none; asked for by the gate where the policy says so."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from builders import ARTIFACT, Built, build
from reloadgate import cli
from reloadgate.errors import UsageError
from reloadgate.gate import Gated, gate
from reloadgate.judge import judge
from reloadgate.nouns import to_dict, write_json
from reloadgate.policy import Policy, Signed, policy_from
from reloadgate.signing import Signer, sign, signature_of, unsigned
from reloadgate.verdict import Status


def write_key(folder: Path, name: str) -> Path:
    """A key pair, `<name>.pem` and `<name>.pub`."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pem").write_bytes(private)
    (folder / f"{name}.pub").write_bytes(public)
    return folder / f"{name}.pem"


class Project:
    """A version that passes, its verdict on file under a policy that asks for a signature."""

    def __init__(self, root: Path) -> None:
        self.key = write_key(root, "ours")
        self.policy = policy_from({"signed": {"key": str(root / "ours.pub")}})
        self.built: Built = build(root)
        self.records = self.built.record(root / "records")
        self.signatures, self.verdict = root / "signatures", root / "verdict.json"
        write_json(self.verdict, to_dict(judge(self.built.compare(self.records), self.policy)))

    def gate(self, policy: Policy | None = None, signatures: Path | None = None) -> Gated:
        return gate(
            [self.built.subject], self.records, self.built.evidence, self.verdict, policy or self.policy,
            signatures=signatures or self.signatures,
        )  # fmt: skip

    def sign(self, key: Path | None = None) -> Path:
        (made,) = sign(judge(self.built.compare(self.records), self.policy), Signer(key=str(key or self.key)), self.signatures)
        return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(Path())


def test_what_is_signed_passes_and_what_is_not_does_not(project: Project) -> None:
    before = project.gate()
    assert before.verdict.status is Status.UNVERIFIED
    assert "digits is not signed" in before.objections[0]
    project.sign()
    assert project.gate().verdict.status is Status.PASS, project.gate().objections


@pytest.mark.parametrize("name", ["my-model", "v1.0_b", "größe"])
def test_a_signature_is_called_by_the_name_of_its_model(project: Project, name: str) -> None:
    (model,) = judge(project.built.compare(project.records), project.policy).models
    assert signature_of(Path("signatures"), replace(model, model=name)) == Path("signatures") / f"{name}.sig"


def test_another_key_is_not_ours(project: Project, tmp_path: Path) -> None:
    project.sign(write_key(tmp_path, "theirs"))
    (objection,) = project.gate().objections
    assert "no signature of these bytes and this verdict" in objection


@pytest.mark.parametrize(
    "other",
    [
        {"files": {ARTIFACT.path: {ARTIFACT.path: "0" * 64}}}, {"saved_sha256": "0" * 64}, {"version": "models/digits/2.0.0"},
        {"status": Status.FAIL},
    ],
)  # fmt: skip
def test_a_signature_is_of_these_bytes_this_evidence_and_this_verdict(project: Project, other: dict[str, Any]) -> None:
    project.sign()
    verdict = judge(project.built.compare(project.records), project.policy)
    assert project.policy.signed is not None
    assert unsigned(verdict, project.policy.signed, project.signatures) == []
    altered = replace(verdict, models=(replace(verdict.models[0], **other),))
    (objection,) = unsigned(altered, project.policy.signed, project.signatures)
    assert "no signature of these bytes" in objection


@pytest.mark.parametrize("setting", [{"flips": 1}, {"tolerances": {"weights": 1e-9}}, {"location": "any"}])
def test_a_signature_is_of_a_verdict_under_its_policy(project: Project, setting: dict[str, Any]) -> None:
    project.sign()
    policy = policy_from(to_dict(project.policy) | setting)
    write_json(project.verdict, to_dict(judge(project.built.compare(project.records), policy)))
    (objection,) = project.gate(policy).objections
    assert "no signature of these bytes and this verdict" in objection


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"mediaType": "x"}'])
def test_what_is_no_signature_is_refused(project: Project, content: bytes) -> None:
    project.sign().write_bytes(content)
    (objection,) = project.gate().objections
    assert "no signature of these bytes" in objection


def test_what_is_no_key_is_said(project: Project, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_bytes(b"?")
    for key in ("bad.pem", "none.pem", "ours.pub"):
        with pytest.raises(UsageError, match=r"no private key that can sign"):
            project.sign(tmp_path / key)


@pytest.mark.parametrize("settings", [{}, {"key": "a", "certificates": ["b"]}, {"keys": "a"}, {"key": 1}])
def test_a_policy_names_a_key_or_certificates(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="signed"):
        policy_from({"signed": settings})


def test_a_key_is_named_over_the_file_where_none_was() -> None:
    assert policy_from({}, ["signed.key=release.pub"]).signed == Signed(key="release.pub")
    assert policy_from({"signed": {"key": "ours.pub"}}, ["signed.key=release.pub"]).signed == Signed(key="release.pub")


def test_the_command_signs_where_the_gate_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    key = write_key(tmp_path, "ours")
    Path("params.yaml").write_text("models:\n  digits: {version: 1.0.0}\npolicy:\n  signed: {key: ours.pub}\n")
    build(Path()).record(Path("reports/versions"))

    def run(*arguments: str) -> Any:
        monkeypatch.setattr("sys.argv", ["reloadgate", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    assert [run("compare"), run("sign", "--key", str(key))] == [0, 3]
    assert "nothing was signed: ERROR" in capsys.readouterr().err
    assert [run("judge"), run("sign", "--key", str(key)), run("gate")] == [0, 0, 0]
    assert "signed: reports/signatures/digits.sig" in capsys.readouterr().out


def certificate(folder: Path, name: str, issuer: tuple[Any, Any] | None) -> tuple[Any, Any]:
    """A key `<name>.pem` and its certificate `<name>.crt`, by itself or by an issuer (certificate, key)."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=issuer is None, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / f"{name}.pem").write_bytes(pem)
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made, key


def test_certificates_vouch_for_a_key(project: Project, tmp_path: Path) -> None:
    root, other = certificate(tmp_path, "root", None), certificate(tmp_path, "other", None)
    certificate(tmp_path, "leaf", root)
    assert other
    verdict = judge(project.built.compare(project.records), project.policy)
    signer = Signer(key=str(tmp_path / "leaf.pem"), certificates=(str(tmp_path / "leaf.crt"), str(tmp_path / "root.crt")))
    sign(verdict, signer, project.signatures)
    assert unsigned(verdict, Signed(certificates=(str(tmp_path / "root.crt"),)), project.signatures) == []
    assert len(unsigned(verdict, Signed(certificates=(str(tmp_path / "other.crt"),)), project.signatures)) == 1
