"""Who else is told of a reply that has become whole, in the transaction of its final save.

Upper code registers in its `AppConfig.ready()`. It may add rows and jobs of its own; what it raises undoes the save,
which is then tried again.
"""

import uuid
from collections.abc import Callable

Told = Callable[[uuid.UUID], None]
_told: list[Told] = []


def register_completed(told: Told) -> None:
    if told not in _told:
        _told.append(told)


def tell_completed(reply_id: uuid.UUID) -> None:
    for told in _told:
        told(reply_id)
