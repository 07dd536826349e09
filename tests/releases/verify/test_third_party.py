"""Libraries that are not ours read what leaves here: securesystemslib the envelopes, in-toto the statements."""

import json
from datetime import UTC, datetime

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from audit.checkpoint import Signer
from releases import attest
from tests.releases.sample_facts import NOW
from tests.releases.verify.maker import KEY, OTHER_KEY, Maker


def public(signer: Signer) -> SSlibKey:
    key = signer.public
    return SSlibKey(key.key_id.hex(), "ed25519", "ed25519", {"public": key.public.hex()})


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return Maker().files()


def opened(files: dict[str, bytes], name: str) -> dict:
    envelope = Envelope.from_dict(json.loads(files[f"attestations/{name}.dsse.json"]))
    accepted = envelope.verify([public(KEY)], 1)
    assert len(accepted) == 1
    return json.loads(envelope.payload)


def test_securesystemslib_refuses_another_key_and_a_changed_payload(files: dict[str, bytes]) -> None:
    raw = json.loads(files["attestations/verdict.dsse.json"])
    with pytest.raises(VerificationError):
        Envelope.from_dict(raw).verify([public(OTHER_KEY)], 1)
    changed = Envelope.from_dict(json.loads(files["attestations/verdict.dsse.json"]))
    changed.payload = changed.payload.replace(b"PASSED", b"FAILED")
    with pytest.raises(VerificationError):
        changed.verify([public(KEY)], 1)


def test_in_toto_reads_the_verdict_as_a_verification_summary(files: dict[str, bytes]) -> None:
    body = opened(files, "verdict")
    assert body["predicateType"] == attest.VSA
    subject = [ResourceDescriptor(name=row["name"], digest=row["digest"]).pb for row in body["subject"]]
    Statement(subjects=subject, predicate_type=body["predicateType"], predicate=body["predicate"]).validate()
    ours = {key: body["predicate"].pop(key) for key in list(body["predicate"]) if ":" in key}
    # Newer in the specification than in this version of the library: the list of levels, and the verifier's version.
    assert body["predicate"].pop("verifiedLevels") == ["READINESS_ENG_OPS_SIGNED"]
    assert body["predicate"]["verifier"].pop("version") == {"readiness-gate": "1"}
    read = json_format.ParseDict(body["predicate"], vsa_pb2.VerificationSummary())  # refuses unknown fields
    assert read.verification_result == "PASSED"
    assert read.resource_uri == "https://readiness.example/systems/support-bot/"
    assert read.verifier.id == "https://readiness.example"
    assert read.time_verified.ToDatetime(UTC) == NOW
    assert len(read.input_attestations) > 20 and all(row.digest["sha256"] for row in read.input_attestations)
    assert datetime.fromisoformat(ours[attest.EXPIRES]) - NOW == attest.VALID_FOR


def test_in_toto_reads_the_evaluation_as_a_test_result(files: dict[str, bytes]) -> None:
    body = opened(files, "evaluation")
    assert body["predicateType"] == attest.TEST_RESULT
    read = json_format.ParseDict(body["predicate"], test_result_pb2.TestResult())
    assert read.result == "PASSED"
    assert list(read.passed_tests) == ["accuracy"] and not read.failed_tests
    assert [row.name for row in read.configuration] == ["dataset", "inspect_ai 0.3.285"]


def test_every_envelope_of_a_bundle_opens(files: dict[str, bytes]) -> None:
    names = [name.split("/")[1].removesuffix(".dsse.json") for name in files if name.startswith("attestations/")]
    assert len(names) == 4
    for name in names:
        assert opened(files, name)["_type"] == "https://in-toto.io/Statement/v1"
