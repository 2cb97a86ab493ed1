"""Tables of what comes from outside and of what is told to outside, one module for each noun."""

from external.models.webhooks import Attempt, Delivery, Dispatch, Webhook

__all__ = ["Attempt", "Delivery", "Dispatch", "Webhook"]
