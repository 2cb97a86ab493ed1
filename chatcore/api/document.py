"""One OpenAPI 3.1 document of both halves of the API."""

import functools
import json
import re
from typing import Any

from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

from chatcore import codes, errors
from chatcore.accounts.openapi import SECURITY, SECURITY_SCHEMES
from chatcore.api.doors import PREFIX, live, resources
from chatcore.llm.registry import ProviderFailed
from chatcore.problems import BY_STATUS

PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` is for programs, `detail` for people.",
    "required": ["type", "title", "status", "detail", "instance", "code", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request's id, also in X-Request-Id."},
        "code": {"type": "string", "description": "One of /api/docs/errors."},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
        "resets_at": {
            "type": "string",
            "format": "date-time",
            "description": "Of a spent budget: when it starts anew.",
        },
        "errors": {
            "type": "array",
            "description": "What is wrong with which part of the body; `pointer` is a JSON pointer into it.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail", "code"],
                "properties": {name: {"type": "string"} for name in ("pointer", "detail", "code")},
            },
        },
    },
}
_ALWAYS = (400, 401, 403, 404, 422, 429, 503)
REFUSALS = {
    "get": _ALWAYS,
    "delete": (*_ALWAYS, 409),
    "post": (*_ALWAYS, 409, 413, 415),
    "patch": (*_ALWAYS, 409, 413, 415),
}
TAGS = {
    "conversations": "Trees of messages, each owned by one user. The active leaf names the branch a reader sees.",
    "messages": "Single messages by their own address; a reply is a message too.",
    "attachments": "Files that go with messages: uploaded first, then named by the message.",
    "replies": "Ask, edit, regenerate, retry, stop. A reply is answered in one of three ways, see `Prefer` and "
    "`text/event-stream`.",
    "comparisons": "Which of several models' replies to one message people preferred.",
    "intake": "Messages from outside systems: one or many, each stored once, with where it came from.",
    "events": "Everything that happens, in order, without gaps. `/events/` and `/ws/` tell the same as it happens.",
    "models": "The names that may be asked for.",
    "providers": "The accounts at services that run models. Their keys go in and never come out again.",
    "deployments": "The ways to reach models through providers, in the order in which they are tried.",
    "usage": "The ledger: every call of a model, what it took and what it cost, as rows and as sums.",
    "integrations": "Outside systems with identities of their own: what they may do, what they are held to, "
    "their keys.",
    "sources": "The addresses at which vendors post: Twilio, Slack, or what signs JSON. Their secrets go in and never "
    "come out again.",
    "budgets": "How much may be used in a day or a month. What is over it is refused with `budget_exceeded`.",
    "authenticators": "Ways in which integrations prove who they are besides keys: signed requests, tokens of others.",
    "identities": "Telephone numbers, e-mail addresses and chat ids, and the users whose messages come from there.",
    "schedules": "Messages that an integration posts by the clock, and what became of them.",
    "webhooks": "Addresses that are told what happens, signed and at least once. See docs/webhooks.md.",
    "deliveries": "What is on its way to webhooks, was delivered, or was given up, with every attempt.",
}
DESCRIPTION = """Conversations that people, outside systems and AI agents share.

**Sign in** with every request: `Authorization: Bearer cc_live_…` (a key), or a user's access token. A user of several
workspaces names one in `X-Workspace`.

**Lists** are `{results, next, previous}`; follow `next` until it is null. **Times** are UTC. **Bodies** are JSON in
UTF-8, and a field that is not known is refused. **Every refusal** is a problem document (RFC 9457);
[each code](/api/docs/errors) is explained. **Every answer** carries `X-Request-Id`, and in `RateLimit-Policy` and
`RateLimit` how much may be asked for and how much of it is left; 429 and 503 say in `Retry-After` when to come back."""
_DRF = {"POSTPROCESSING_HOOKS": [], "COMPONENT_SPLIT_PATCH": False}  # no components but those we name


@functools.cache
def document() -> dict[str, Any]:
    """DRF's and Ninja's halves as one OpenAPI 3.1 document, with the problems every operation may answer."""
    patterns = [path(f"api/v1/{found.pattern}", found.callback) for found in resources[:-1]]  # but `missing`
    generator: Any = SchemaGenerator
    with patched_settings(_DRF):
        whole: dict[str, Any] = _plain(generator(patterns=patterns).get_schema(request=None, public=True))
    half = _plain(live.get_openapi_schema(path_prefix=PREFIX))
    whole["paths"] |= half["paths"]
    components = whole["components"]
    components["schemas"] |= half["components"]["schemas"] | {"Problem": codes.enumerated(PROBLEM)}
    components["securitySchemes"] = SECURITY_SCHEMES
    components["responses"] = {
        kind.__name__: _refusal(kind) for kind in (*BY_STATUS.values(), ProviderFailed)
    }
    whole["info"] = {"title": "Chatcore", "version": "1", "description": DESCRIPTION}
    whole["servers"] = [{"url": "/", "description": "This server"}]
    whole["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
    for operations in whole["paths"].values():
        for method, operation in operations.items():
            _complete(method, operation, components["schemas"])
    return whole


# Components as generated clients name them.
_NAMES = (
    (r'(?<=["/])Paginated(\w+?)(Resource)?List(?=")', r"\1Page"),
    (r'(?<=["/])(\w+)Resource(?=")', r"\1"),
)


def _plain(schema: Any) -> Any:
    """Nothing but what JSON knows, so that the two halves can be merged."""
    text = json.dumps(schema, default=str)
    for found, name in _NAMES:
        text = re.sub(found, name, text)
    return json.loads(text)


def _complete(method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    operation["security"] = SECURITY
    for status in REFUSALS[method]:
        name = BY_STATUS[status].__name__
        operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
    for answer in operation["responses"].values():
        if "$ref" not in answer:
            answer["description"] = answer["description"] or "As asked for."
    for body in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in body:
            continue
        reference = json.dumps(body["schema"])
        body["example"] = next(
            schemas[name]["examples"][0] for name in re.findall(r"#/components/schemas/(\w+)", reference)
        )


def _refusal(kind: type[errors.ChatcoreError]) -> dict[str, Any]:
    example = kind().problem("req_0b9e5c1d4f7a4e0c8f6d2a3b5c7d9e1f")
    schema = {"$ref": "#/components/schemas/Problem"}
    answer: dict[str, Any] = {
        "description": kind().title,
        "content": {"application/problem+json": {"schema": schema, "example": example}},
    }
    if kind.status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return answer
