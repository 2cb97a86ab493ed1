"""The webhooks' part of the catalogue."""

import uuid
from typing import Literal

from chatcore.realtime.catalogue import EventBody


class WebhookState(EventBody):
    """Which webhook, and where it leads: the host alone, since the rest of an address may be secret."""

    webhook: uuid.UUID
    host: str


class WebhookActivated(WebhookState, type="webhook.activated"):
    """Its address has answered the challenge: it is told what happens from here on."""


class WebhookDisabled(WebhookState, type="webhook.disabled"):
    """It is told nothing any more. The owners and admins of its workspace hear of it."""

    reason: Literal["person", "gone", "failing"]
