"""Who else is told of replies that have become whole, in the transaction of their final save.

Upper code registers in its `AppConfig.ready()`. It may add rows and jobs of its own; what it raises undoes the save,
which is then tried again.
"""

import uuid
from collections.abc import Callable, Sequence

Told = Callable[[Sequence[uuid.UUID]], None]
_told: list[Told] = []


def register_completed(told: Told) -> None:
    if told not in _told:
        _told.append(told)


def tell_completed(reply_ids: Sequence[uuid.UUID]) -> None:
    for told in _told:
        told(reply_ids)
