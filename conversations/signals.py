"""What follows from the end of a row, whoever deleted it and whatever it went with."""

from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver

from conversations.attachments import files_of
from conversations.enqueue import enqueue_removal
from conversations.models import Attachment


@receiver(post_delete, sender=Attachment)
def _remove_files(instance: Attachment, **_: Any) -> None:
    for name in files_of(instance):
        enqueue_removal(name)
