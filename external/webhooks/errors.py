"""What webhooks refuse."""

from typing import ClassVar

from chatcore.errors import Conflict


class TooManyWebhooks(Conflict):
    """The workspace has as many webhooks as it may have. Remove one first."""

    code: ClassVar[str] = "too_many_webhooks"
    remedy: ClassVar[str] = "Delete a webhook that is not needed any more."


class WebhookInactive(Conflict):
    """The webhook is not active. Let it answer its challenge first."""

    code: ClassVar[str] = "webhook_inactive"
    remedy: ClassVar[str] = (
        "Ask its address again with POST /api/v1/webhooks/{id}/challenge; `challenge_error` says what "
        "was wrong."
    )
