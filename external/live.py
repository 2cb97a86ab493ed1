"""Commands of the API for messages from outside: one, or many."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from chatcore.accounts.ninja import PrincipalAuth
from chatcore.offload import in_request
from chatcore.security.limits import charge
from conversations.responding import MODES
from external import batches, idempotency
from external.answering import answer, at_once
from external.bodies import NewExternalMessage
from external.gathering import gather
from external.idempotency import Answer
from external.intake import Accepted, accept_one
from external.requests import acting_user, heard_of, hops_of, principal_of_request, token_of
from external.resources import BatchResource, IntakeResource

router = Router(tags=["intake"])

MESSAGES, BATCHES = "intake/messages", "intake/batches"
ANSWERS: dict[int, Any] = {200: IntakeResource, 202: IntakeResource}
KEY_HEADER = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 16, "maxLength": 257},
    "description": "The same request under the same key is answered again, not carried out again, for seven days.",
}
HOPS_HEADER = {
    "name": "Chatcore-Hops",
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 0},
    "description": "How many systems the message has passed. After five it is refused with `loop_detected`.",
}
TOKEN_HEADER = {
    "name": "Chatcore-User-Token",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "An access token of the user whose message it is.",
}
HEADERS = [KEY_HEADER, HOPS_HEADER, TOKEN_HEADER]


@router.post(
    "/intake/messages",
    response=ANSWERS,
    operation_id="post_external_message",
    summary="Post a message from outside",
    openapi_extra=MODES | {"parameters": [*MODES["parameters"], *HEADERS]},
)
async def post_message(request: HttpRequest, payload: NewExternalMessage) -> HttpResponse:
    """It is stored with where it came from, and the reply is made whether you wait for it or not. A 2xx is committed.

    200 instead of 202 tells of one that was accepted before, under its `external_id`. The stream begins with
    `external.accepted`.
    """
    principal = principal_of_request(request)
    item, token, key = (
        payload.item(hops=hops_of(request), heard=heard_of(request)),
        token_of(request),
        idempotency.key_of(request),
    )
    if key is None:
        accepted = await gather(principal, item, token)
        reads = accepted.duplicate or item.attachments  # the files of its message
        answered = await in_request(_answer, accepted) if reads else _answer(accepted)
        return await answer(request, principal, answered)

    def work() -> Answer:
        return _answer(accept_one(principal, item, token=token))

    claim = await _claim(request, MESSAGES, key, token, request.body)
    return await answer(request, principal, await idempotency.once(claim, work))


@router.post(
    "/intake/batches",
    auth=PrincipalAuth(("application/json", batches.NDJSON)),
    response={200: BatchResource},
    operation_id="post_batch",
    summary="Post many messages from outside",
    openapi_extra=batches.described(HEADERS),
)
async def post_batch(request: HttpRequest) -> HttpResponse:
    """Up to 100 as JSON, or one on each line of up to 1,000 lines and 8 MiB (`application/x-ndjson`). Each is
    accepted, known already (`duplicate`), or rejected with its problem; what is accepted is committed, in this order.
    """
    principal, token, key = principal_of_request(request), token_of(request), idempotency.key_of(request)
    body = batches.read(request)

    def paid() -> batches.Batch:
        """Reading 8 MiB takes too long for the event loop."""
        parsed = batches.parse(request, body)
        charge(principal, len(parsed.items) - 1)
        return parsed

    batch = await in_request(paid)

    def work() -> Answer:
        return batches.carry_out(request, principal, batch, token)

    if key is None:
        return at_once(await in_request(work))
    claim = await _claim(request, BATCHES, key, token, body)
    answered = await idempotency.once(claim, work)
    response = at_once(answered)
    if answered.replayed:
        response[idempotency.REPLAYED] = "true"
    return response


def _answer(accepted: Accepted) -> Answer:
    resource = IntakeResource.of(accepted).model_dump(mode="json")
    return Answer(200 if accepted.duplicate else 202, resource)


async def _claim(
    request: HttpRequest, route: str, key: str, token: str | None, body: bytes
) -> idempotency.Claim:
    principal = principal_of_request(request)
    assert principal.integration
    acting = await in_request(acting_user, principal, token)
    print_of = idempotency.fingerprint(request, route, body, acting)
    return idempotency.Claim(principal.integration, route, key, print_of)
