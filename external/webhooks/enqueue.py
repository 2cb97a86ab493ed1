"""Names of the webhooks' jobs, and how they are enqueued: actions need no worker's code for it."""

from procrastinate.contrib.django import app

from chatcore.jobs import defer
from external.models import Webhook

CHALLENGE = "webhooks.challenge"


def enqueue_challenge(webhook: Webhook) -> None:
    """After the transaction. One at a time for each workspace: whoever asks a lot holds up nobody else."""
    lock = f"webhooks:{webhook.workspace_id}"
    defer(app.configure_task(CHALLENGE, allow_unknown=False, lock=lock), webhook_id=str(webhook.id))
