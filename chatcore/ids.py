"""Primary keys: UUIDv7 (RFC 9562), so that order by id is order by time."""

import uuid

import uuid_utils.compat


def uuid7() -> uuid.UUID:
    """A new UUIDv7. A function of its own, because migrations name it."""
    return uuid_utils.compat.uuid7()


def just_before(later: uuid.UUID) -> uuid.UUID:
    """An id that sorts directly before a fresh one: for what must come first although its id is made second."""
    return uuid.UUID(int=later.int - 1)
