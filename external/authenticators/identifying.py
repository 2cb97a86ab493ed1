"""Whom a request with X-Authenticator is of: what the doors ask through chatcore.accounts.authenticators."""

import hashlib
import logging
import uuid
from collections.abc import Mapping

from chatcore.accounts.grants import covered
from chatcore.accounts.models import Integration, Membership
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError
from chatcore.security.fields import Unreadable
from external.authenticators.kinds import build
from external.authenticators.proofs import Given, Presented, Proof
from external.identities.handles import normalised
from external.models import Authenticator, Identity, UsedProof

ACTING_AS = ("jwt", "any")
log = logging.getLogger(__name__)


def identify(headers: Mapping[str, str], body: bytes | None) -> Principal | None:
    """The integration's principal, in the name of the user whom the proof vouches for, if it names one.

    Its right is what the integration is granted and that user may, together. None for whatever is wrong.
    """
    authenticator = _named(headers["x-authenticator"])
    proof = _proof(authenticator, Presented(headers, body)) if authenticator else None
    if authenticator is None or proof is None:
        return None
    integration = authenticator.integration
    member = _member(integration, proof)
    if member is None and (proof.user or integration.acts_as_id):
        return None
    if proof.once and not _is_first(authenticator, proof, body):
        return None
    authenticator.note_use()
    return Principal(
        member.user if member else None,
        integration.workspace,
        integration,
        frozenset(integration.grants),
        member.role if member else "",
        credential="proof",
    )


def _named(text: str) -> Authenticator | None:
    try:
        authenticator_id = uuid.UUID(text)
    except ValueError:
        return None
    try:
        found: Authenticator | None = Authenticator.objects.usable().filter(pk=authenticator_id).first()
    except Unreadable as error:
        log.warning("authenticator %s cannot be used: %s", authenticator_id, error.detail)
        return None
    return found


def _proof(authenticator: Authenticator, presented: Presented) -> Proof | None:
    given = Given(authenticator.pk, authenticator.options, authenticator.secret)
    try:
        verifier = build(authenticator.kind, given)
    except ValueError as error:
        log.warning("authenticator %s cannot be used: %s", authenticator.pk, error)
        return None
    return verifier.verify(presented)


def _member(integration: Integration, proof: Proof) -> Membership | None:
    """In whose name it comes. To come in another's than its own user's, the integration needs the grant for it."""
    member = _named_member(integration, proof)
    is_own = member is None or member.user_id == integration.acts_as_id
    may_act_as = any(covered(integration.grants, "users", "act_as", way) for way in ACTING_AS)
    return member if is_own or may_act_as else None


def _named_member(integration: Integration, proof: Proof) -> Membership | None:
    members = Membership.objects.filter(workspace=integration.workspace_id, user__is_active=True)
    if not proof.user.isprintable():  # what no column holds
        return None
    if proof.channel:
        members = members.filter(user__in=_verified(integration, proof))
    elif proof.user:
        members = members.filter(user__email=proof.user.lower())
    elif integration.acts_as_id:
        members = members.filter(user=integration.acts_as_id)
    else:
        return None
    return members.select_related("user").first()


def _verified(integration: Integration, proof: Proof) -> list[uuid.UUID]:
    """Whose verified handle it is; nobody's where it is none."""
    try:
        value = normalised(proof.channel, proof.user)
    except ChatcoreError:
        return []
    identities = Identity.objects.filter(
        workspace=integration.workspace_id, channel=proof.channel, value=value
    )
    return list(identities.verified().values_list("user", flat=True))


def _is_first(authenticator: Authenticator, proof: Proof, body: bytes | None) -> bool:
    """Streams ask for the same proof again and again, so that one which is good once does not open them."""
    if body is None or proof.once_until is None:
        return False
    digest = hashlib.sha256(proof.once.encode("utf-8", "surrogatepass")).hexdigest()
    return UsedProof.is_first(authenticator, digest, proof.once_until)
