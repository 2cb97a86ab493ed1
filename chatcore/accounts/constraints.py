"""What narrows an integration beside its grants: a JSON object of the fields below. What is absent limits nothing.

models: ["gpt-*"]                  names of the models it may ask, as globs
conversations: ["<id>", …]         the conversations it may write to
threads: ["db-*"]                  the threads it may write to, as globs; either list is enough
metadata_schema: {…}               the JSON Schema that its messages' metadata must fit
requests_per_minute: 600           instead of the installation's limit
concurrency: 3                     its replies that wait or run at once
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Protocol

import pydantic
from django.core.exceptions import ValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chatcore.accounts.schemas import CannotBeFollowed, first_misfit, validate_schema
from chatcore.errors import FieldProblem, Forbidden

MAX_NAMED = 100

Glob = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(strict=True, ge=1, le=10**9)]


class ConstraintViolated(Forbidden):
    """A limit of this integration does not allow it."""

    code = "constraint_violated"
    remedy = (
        "`errors` points to what is not allowed: leave it out, or let an owner or admin widen the "
        "integration's constraints."
    )


class Named(Protocol):
    """A conversation, as far as constraints look at it."""

    id: uuid.UUID


class Constraints(BaseModel):
    """The shape of `Integration.constraints`."""

    model_config = ConfigDict(extra="forbid")

    models: Annotated[list[Glob], Field(min_length=1, max_length=MAX_NAMED)] | None = None
    conversations: Annotated[list[uuid.UUID], Field(min_length=1, max_length=MAX_NAMED)] | None = None
    threads: Annotated[list[Glob], Field(min_length=1, max_length=MAX_NAMED)] | None = None
    metadata_schema: dict[str, Any] | None = None
    requests_per_minute: Count | None = None
    concurrency: Count | None = None


# The thread an integration knows a conversation by; None where it has none.
ThreadOf = Callable[[uuid.UUID, uuid.UUID], str | None]
_threads: list[ThreadOf] = []


def register_threads(thread_of: ThreadOf) -> None:
    """For the app that names conversations by threads: called with the integration's and the conversation's id."""
    _threads.append(thread_of)


def validate_constraints(value: Any) -> None:
    """Raises ValidationError, in words that name the field."""
    try:
        Constraints.model_validate(value)
    except pydantic.ValidationError as error:
        words = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise ValidationError(words[:10]) from None
    schema = value.get("metadata_schema")
    if schema is not None:
        validate_schema(schema)


def in_one_form(value: Any) -> Any:
    """The same constraints as they are compared: ids in their usual spelling. What is not valid stays as it is."""
    try:
        return Constraints.model_validate(value).model_dump(mode="json", exclude_none=True)
    except pydantic.ValidationError:
        return value


def check(
    limits: Mapping[str, Any],
    integration: uuid.UUID,
    *,
    model: str | None = None,
    conversation: Named | None = None,
    thread: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Raises ConstraintViolated for the first of these that the limits do not allow; None is not looked at.

    A `thread` of "" stands for a new conversation that belongs to no thread.
    """
    if model is not None and not _matches(model, limits.get("models")):
        raise _violated("/model", f"This integration may not ask the model {model!r}.")
    if conversation is not None or thread is not None:
        _check_place(limits, integration, conversation, thread)
    if metadata is not None and limits.get("metadata_schema"):
        _check_metadata(limits["metadata_schema"], metadata)


def _check_place(
    limits: Mapping[str, Any], integration: uuid.UUID, conversation: Named | None, thread: str | None
) -> None:
    conversations, threads = limits.get("conversations"), limits.get("threads")
    if conversations is None and threads is None:
        return
    if conversation is not None and str(conversation.id) in (conversations or ()):
        return
    if threads and conversation is not None and thread is None:
        thread = next((found for each in _threads if (found := each(integration, conversation.id))), None)
    if thread and threads and _matches(thread, threads):
        return
    raise _violated("/conversation", "This integration may not write to this conversation.")


def _check_metadata(schema: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    try:
        found = first_misfit(schema, metadata)
    except CannotBeFollowed as error:
        raise _violated("/metadata", f"This integration's schema of metadata {error}.") from None
    if found is not None:
        pointer = "".join(f"/{part}" for part in ("metadata", *found.absolute_path))
        raise _violated(
            pointer, f"The metadata does not fit this integration's schema: {found.message[:300]}"
        )


def _matches(name: str, globs: Sequence[str] | None) -> bool:
    return globs is None or any(fnmatchcase(name, glob) for glob in globs)


def _violated(pointer: str, detail: str) -> ConstraintViolated:
    return ConstraintViolated(detail, errors=[FieldProblem(pointer, detail, ConstraintViolated.code)])
