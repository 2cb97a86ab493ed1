"""Anything that can post JSON: proven by a signature or a key, read by a map that is configured, without code."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from chatcore.accounts.principals import identify
from chatcore.errors import ChatcoreError, FieldProblem
from external.adapters import mapping
from external.adapters.adapter import Adapter, Answer, Outcome, Parsed, Received, as_json

PROOFS = ("standard_webhooks", "hmac", "key")
ENCODINGS = ("hex", "base64")
WINDOW_SECONDS = 300
SECRET_PREFIX = "whsec_"  # noqa: S105


class GenericAdapter(Adapter):
    LABEL = "Signed JSON"
    SECRETS: ClassVar = {
        "signing_secret": "what the sender signs with: whsec_… for Standard Webhooks, any text for hmac"
    }
    SETTINGS: ClassVar = {
        "proof": "standard_webhooks (usual), hmac (a header of your choice), or key (one of the integration's)",
        "header": "for hmac: which header has the signature, such as X-Hub-Signature-256",
        "prefix": "for hmac: what stands before it, such as sha256=",
        "encoding": "for hmac: hex (usual) or base64",
        "map": "where the JSON has what, see docs/adapters.md",
    }
    SHAPES: ClassVar = {"proof": PROOFS, "encoding": ENCODINGS, "map": "json"}

    @property
    def _proof(self) -> str:
        return str(self.setup.settings.get("proof") or PROOFS[0])

    @property
    def _secret(self) -> str:
        return self.setup.secrets.get("signing_secret", "")

    @property
    def _map(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self.setup.settings.get("map") or {}
        return given

    def problems(self) -> list[FieldProblem]:
        settings = self.setup.settings
        found = super().problems()
        if self._proof not in PROOFS:
            found.append(FieldProblem("/settings/proof", f"must be one of {', '.join(PROOFS)}", "choice"))
        if self._proof == "hmac" and not settings.get("header"):
            found.append(FieldProblem("/settings/header", "must be given", "required"))
        if settings.get("encoding", "hex") not in ENCODINGS:
            found.append(
                FieldProblem("/settings/encoding", f"must be one of {', '.join(ENCODINGS)}", "choice")
            )
        if self._proof == "standard_webhooks" and standard_key(self._secret) is None:
            found.append(FieldProblem("/secrets/signing_secret", "must be whsec_ and base64", "required"))
        elif self._proof == "hmac" and not self._secret:
            found.append(FieldProblem("/secrets/signing_secret", "must be given", "required"))
        for problem in mapping.problems_of(settings.get("map")):
            found.append(FieldProblem(f"/settings/map{problem.pointer}", problem.detail, problem.code))
        return found

    def verify(self, received: Received) -> bool:
        if self._proof == "key":
            return self._has_key(received)
        if self._proof == "hmac":
            return self._is_signed(received)
        return is_standard(self._secret, received)

    def parse(self, received: Received) -> Parsed:
        return Parsed(incoming=tuple(mapping.read(self._map, received.json())))

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """What has become of each. One that is refused by itself is the answer; it raises what is wrong."""
        refused = [outcome.error for outcome in outcomes if outcome.error]
        if len(outcomes) == 1 and refused:
            raise refused[0]
        status = 200 if all(outcome.duplicate or outcome.error for outcome in outcomes) else 202
        return as_json(status, {"results": [_result(outcome) for outcome in outcomes]})

    def _has_key(self, received: Received) -> bool:
        headers = received.headers
        try:
            asking = identify(
                authorization=headers.get("authorization"),
                api_key=headers.get("x-api-key"),
                address=received.client,
            )
        except ChatcoreError:
            return False
        return bool(asking and asking.integration and asking.integration.id == self.setup.integration)

    def _is_signed(self, received: Received) -> bool:
        settings = self.setup.settings
        given = received.headers.get(str(settings.get("header", "")).lower(), "")
        prefix = str(settings.get("prefix") or "")
        digest = hmac.new(self._secret.encode(), received.body, hashlib.sha256).digest()
        is_hex = settings.get("encoding", "hex") == "hex"
        right = digest.hex() if is_hex else base64.b64encode(digest).decode()
        shown = given.removeprefix(prefix)
        same = hmac.compare_digest(right.encode(), (shown.lower() if is_hex else shown).encode())
        return same and given.startswith(prefix) and bool(self._secret)


def is_standard(secret: str, received: Received) -> bool:
    """Whether one of the signatures is right and the time is now: https://www.standardwebhooks.com/."""
    key = standard_key(secret)
    webhook_id, timestamp = (received.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp"))
    is_time = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if key is None or not webhook_id or not is_time:
        return False
    signed = b".".join((webhook_id.encode(), timestamp.encode(), received.body))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    given = received.headers.get("webhook-signature", "").split(" ")[:20]
    same = [hmac.compare_digest(b"v1," + right, each.encode()) for each in given]
    return any(same) and abs(received.at - int(timestamp)) <= WINDOW_SECONDS


def standard_key(secret: str) -> bytes | None:
    """The bytes of a whsec_ secret; None where it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        return None
    return key or None


def _result(outcome: Outcome) -> dict[str, Any]:
    if outcome.error:
        return {"status": "rejected", "problem": outcome.error.problem()}
    return {
        "status": "duplicate" if outcome.duplicate else "accepted",
        "message": str(outcome.message),
        "conversation": str(outcome.conversation),
    }
