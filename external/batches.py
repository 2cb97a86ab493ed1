"""Many messages in one request: as a JSON document, or one on each line (NDJSON)."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pydantic
from django.http import HttpRequest

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, FieldProblem, Invalid, Malformed, TooLarge
from chatcore.problems import NAMED_PROBLEMS, pydantic_problem, read_json, request_id
from external.bodies import MAX_BATCH, NewBatch, NewExternalMessage
from external.errors import BatchRefused
from external.idempotency import Answer
from external.intake import IntakeItem, Outcome, accept
from external.requests import heard_of, hops_of
from external.resources import BatchResource, BatchResult

NDJSON = "application/x-ndjson"
MAX_LINES = 1_000
MAX_BYTES = 8 * 1024 * 1024
TRUE, FALSE = ("true", "1"), ("false", "0", "")


@dataclass(frozen=True)
class Batch:
    """Items in their order: each a message to accept, or what is wrong with it."""

    items: list[IntakeItem | ChatcoreError]
    external_ids: list[str | None]
    atomic: bool


def described(headers: list[dict[str, Any]]) -> dict[str, Any]:
    """For the API's document: Ninja does not read this body itself, so that one faulty item spoils no other."""
    item = {"$ref": "#/components/schemas/NewExternalMessage"}
    schema = {
        "type": "object",
        "description": NewBatch.__doc__,
        "required": ["items"],
        "additionalProperties": False,
        "properties": {
            "items": {"type": "array", "minItems": 1, "maxItems": MAX_BATCH, "items": item},
            "atomic": {"type": "boolean", "description": "true: all are stored or none."},
        },
    }
    atomic = {
        "name": "atomic",
        "in": "query",
        "required": False,
        "schema": {"type": "boolean"},
        "description": "With NDJSON: whether all are stored or none.",
    }
    line = json.dumps(NewExternalMessage.EXAMPLE)
    return {
        "parameters": [*headers, atomic],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": NewBatch.EXAMPLE},
                NDJSON: {"schema": {"type": "string"}, "example": line},
            },
        },
    }


def read(request: HttpRequest) -> bytes:
    """The body, which may be larger than others. Raises TooLarge."""
    if request.content_type != NDJSON:
        return request.body
    content = request.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise TooLarge(f"A batch has at most {MAX_BYTES // 1024**2} MiB. Nothing was stored.")
    return bytes(content)


def parse(request: HttpRequest, body: bytes) -> Batch:
    """Raises Malformed, Invalid or TooLarge for what is no batch; a faulty item is kept with its problem."""
    hops, heard = hops_of(request), heard_of(request)
    if request.content_type == NDJSON:
        lines = [line for line in body.split(b"\n") if line.strip()]
        if not lines:
            raise Invalid("A batch has at least one line.")
        if len(lines) > MAX_LINES:
            raise TooLarge(f"A batch has at most {MAX_LINES:,} lines; this one has {len(lines):,}.")
        found: list[Any] = [_line(line) for line in lines]
        atomic = _flag(request.GET.get("atomic", ""))
    else:
        try:
            shape = NewBatch.model_validate(read_json(body))
        except pydantic.ValidationError as error:
            raise pydantic_problem(error.errors(include_url=False)) from None
        found, atomic = shape.items, shape.atomic
    return Batch([_item(each, hops, heard) for each in found], [_external_id(each) for each in found], atomic)


def carry_out(request: HttpRequest, principal: Principal, batch: Batch, token: str | None) -> Answer:
    """Raises BatchRefused where all or nothing is wished for and something is wrong."""
    instance = request_id(request)
    wrong = {place: each for place, each in enumerate(batch.items) if isinstance(each, ChatcoreError)}
    if batch.atomic and wrong:
        raise BatchRefused(errors=list(_problems(wrong))[:NAMED_PROBLEMS])
    right = [each for each in batch.items if not isinstance(each, ChatcoreError)]
    outcomes = iter(accept(principal, right, atomic=batch.atomic, token=token) if right else [])
    whole: list[Outcome] = [
        wrong[place] if place in wrong else next(outcomes) for place in range(len(batch.items))
    ]
    results = [
        BatchResult.of(outcome, external_id, instance)
        for outcome, external_id in zip(whole, batch.external_ids, strict=True)
    ]
    return Answer(200, BatchResource.of(results).model_dump(mode="json"))


def _line(line: bytes) -> Any:
    try:
        return read_json(line)
    except ChatcoreError as error:
        return error


def _item(found: Any, hops: int, heard: uuid.UUID | None) -> IntakeItem | ChatcoreError:
    if isinstance(found, ChatcoreError):
        return found
    try:
        return NewExternalMessage.model_validate(found).item(hops=hops, heard=heard, source="batch")
    except pydantic.ValidationError as error:
        return pydantic_problem(error.errors(include_url=False))
    except RecursionError:
        return Malformed("The JSON is nested too deeply.")


def _external_id(found: Any) -> str | None:
    """As the answer repeats it, whatever became of the item."""
    given = found.get("external_id") if isinstance(found, dict) else None
    return given.encode(errors="replace").decode() if isinstance(given, str) else None


def _problems(wrong: dict[int, ChatcoreError]) -> Any:
    for place, error in wrong.items():
        for problem in error.errors or (FieldProblem("", error.detail, error.code),):
            yield FieldProblem(f"/items/{place}{problem.pointer}", problem.detail, problem.code)


def _flag(text: str) -> bool:
    if text.lower() not in TRUE + FALSE:
        raise Malformed("atomic is true or false.")
    return text.lower() in TRUE
