"""Says when somebody's access may have changed, so that open live connections are looked at again.

`access_changed` is sent after commit with `user_id` or `integration_id` (the other is None): a key revoked,
expired early or deleted, an integration changed, a membership given or taken, a user changed (password,
deactivated) or signed out. It may come more often than needed: receivers identify anew, and drop what fails.
Bulk updates of querysets send nothing.
"""

import uuid
from functools import partial
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal, receiver
from django.utils import timezone

from chatcore.accounts.models import Integration, Key, Membership, User

access_changed = Signal()


def announce(*, user_id: uuid.UUID | None = None, integration_id: uuid.UUID | None = None) -> None:
    """Send access_changed once the transaction has committed."""
    send = partial(access_changed.send_robust, None, user_id=user_id, integration_id=integration_id)
    transaction.on_commit(send)


@receiver([post_save, post_delete], sender=Key)
@receiver([post_save, post_delete], sender=Integration)
def _integration_changed(instance: Key | Integration, created: bool = False, **_: Any) -> None:
    if not created:
        announce(integration_id=instance.integration_id if isinstance(instance, Key) else instance.pk)


@receiver([post_save, post_delete], sender=Membership)
def _membership_changed(instance: Membership, **_: Any) -> None:
    announce(user_id=instance.user_id)


@receiver([post_save, post_delete], sender=User)
def _user_changed(instance: User, created: bool = False, update_fields: Any = None, **_: Any) -> None:
    only_signed_in = update_fields is not None and set(update_fields) == {"last_login"}
    if not created and not only_signed_in:
        announce(user_id=instance.pk)


@receiver(post_delete, sender=Session)
def _signed_out(instance: Session, **_: Any) -> None:
    """Django's own signal of it comes while the session is still good."""
    user_id = instance.get_decoded().get(SESSION_KEY)
    if user_id and instance.expire_date > timezone.now():
        announce(user_id=uuid.UUID(user_id))
