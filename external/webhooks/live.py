"""Commands to webhooks: ask the address, stop, exchange the secret, deliver again; and what became of a delivery."""

import uuid

from django.http import HttpRequest, HttpResponse
from ninja import Router

from chatcore.accounts.ninja import principal_of
from chatcore.offload import in_request
from external.webhooks import actions
from external.webhooks.confirming import confirm
from external.webhooks.resources import (
    DeliveryResource,
    DeliveryState,
    Redelivered,
    Redelivery,
    WebhookResource,
    WebhookSecretResource,
)

router = Router(tags=["webhooks"])


@router.post(
    "/webhooks/{uuid:id}/challenge",
    response=WebhookResource,
    operation_id="challenge_webhook",
    summary="Ask a webhook's address again",
)
async def challenge(request: HttpRequest, id: uuid.UUID) -> WebhookResource:
    """It is pending until its address has answered. That is also how a disabled one is enabled."""
    return WebhookResource.of(await in_request(actions.challenge_webhook, principal_of(request), id))


@router.post(
    "/webhooks/{uuid:id}/disable",
    response=WebhookResource,
    operation_id="disable_webhook",
    summary="Disable a webhook",
)
async def disable(request: HttpRequest, id: uuid.UUID) -> WebhookResource:
    """It is told nothing any more. What waits to be delivered is dead, and can be delivered again later."""
    return WebhookResource.of(await in_request(actions.disable_webhook, principal_of(request), id))


@router.post(
    "/webhooks/{uuid:id}/rotate",
    response=WebhookSecretResource,
    operation_id="rotate_webhook_secret",
    summary="Replace a webhook's secret",
)
async def rotate(request: HttpRequest, id: uuid.UUID) -> WebhookSecretResource:
    """Shown this once. For 24 hours everything carries two signatures, one by each secret."""
    return WebhookSecretResource.of(await in_request(actions.rotate_secret, principal_of(request), id))


@router.post(
    "/webhooks/{uuid:id}/redeliver",
    response=Redelivered,
    operation_id="redeliver_all",
    summary="Deliver again what failed",
)
async def redeliver_all(
    request: HttpRequest, id: uuid.UUID, payload: Redelivery | None = None
) -> Redelivered:
    """All that is dead, or what is of a time range. Ids and bodies are those of the first time."""
    payload = payload or Redelivery()
    count = await in_request(
        actions.redeliver_all,
        principal_of(request),
        id,
        begin=payload.from_,
        end=payload.to,
        delivered=payload.delivered,
    )
    return Redelivered(count=count)


@router.post(
    "/deliveries/{uuid:id}/redeliver",
    response=DeliveryResource,
    operation_id="redeliver",
    summary="Deliver again",
)
async def redeliver(request: HttpRequest, id: uuid.UUID) -> DeliveryResource:
    """At once and with its whole schedule, whatever became of it. The id and the body are those of the first time."""
    return DeliveryResource.of(await in_request(actions.redeliver, principal_of(request), id))


@router.post(
    "/deliveries/{uuid:id}/status",
    response={204: None},
    operation_id="confirm_delivery",
    summary="Say what became of a delivered message",
)
async def status(request: HttpRequest, id: uuid.UUID, payload: DeliveryState) -> HttpResponse:
    """By the integration whose webhook it is: its message reached the people behind the channel, or was read. It
    stands in the message's receipts; a late or repeated word never lowers what was seen.
    """
    await in_request(confirm, principal_of(request), id, payload.state, payload.channel)
    return HttpResponse(status=204)
