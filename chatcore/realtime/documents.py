"""The catalogue written down, for people (docs/events.md) and for programs (AsyncAPI 3): both made from its classes."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chatcore.realtime.catalogue import CATALOGUE, Body, ControlBody, EventBody, SignalBody, frame_shape
from chatcore.realtime.cursors import KEPT_SECONDS
from chatcore.realtime.log import REPLAY_LIMIT
from chatcore.realtime.topics import registry

GUIDE = "docs/events.md"
ASYNCAPI = "docs/asyncapi.json"
_REFERENCE = "#/components/schemas/{model}"

_INTRODUCTION = f"""# Events and signals

*Made from the classes by `make docs`; a test compares.*

One log tells everything that happens, and every client follows it: web pages and programs by WebSocket (`/ws/`),
listeners by server-sent events (`/events/`), and whoever asks now and then by `GET /api/v1/events`. The frames, the
cursors and the permissions are the same at all three. To go on from where you were, give any of them the newest
cursor as `?after=<cursor>`. [live.md](live.md) shows how to connect, resume and send.

**Events** are durable. Each has an `id`, and a `cursor` once no older one can appear before it: resume from the newest
cursor, drop an `id` you have had, and nothing is lost or double. What two processes tell at the same moment may come in
either order; of what follows from another, the `id` is larger. Events are kept for {KEPT_SECONDS // 86_400} days;
a client more than {REPLAY_LIMIT:,} events behind is told to read the state again (`resync`).
**Signals** are moments: they are told to those who follow the conversation, and what is missed is not repeated.
**Words of the connection** concern one client alone.

A user, and a key that acts for one and may `messages:read`, hears of that user's conversations; a key that acts for
nobody and is granted `events:read` hears of its whole workspace.
"""


def guide() -> str:
    """docs/events.md."""
    parts = [
        _INTRODUCTION,
        "## Events\n",
        "Around every event: `type`, `id`, `version`, `workspace`, `conversation` (or null), `actor` (`user:<id>`,\n"
        "`integration:<id>` or `system`), `at`, `data`, and `cursor` where it is safe to resume from.\n",
        *(_section(body) for body in _bodies(EventBody)),
        "## Signals\n\nAround every signal: `type`, `conversation`, `data`.\n",
        *(_section(body) for body in _bodies(SignalBody)),
        "## Words of the connection\n\nAround each: `type`, `data`, and the `ref` of the frame it answers.\n",
        *(_section(body) for body in _bodies(ControlBody)),
        "## What a client may send (WebSocket)\n\n"
        'Each frame is `{"type", "data", "ref"?}`; `ref` comes back in the answer.\n',
        *(_described(f"`{name}`", item.shape) for name, item in sorted(registry.commands.items())),
    ]
    return "\n".join(parts).rstrip() + "\n"


def asyncapi() -> str:
    """The AsyncAPI 3 document, as JSON."""
    sent, received = _messages()
    schemas = _schemas()
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chatcore live",
            "version": "1",
            "description": "Everything that happens, as it happens. See docs/events.md.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "websocket": {
                "address": "/ws/",
                "messages": {name: _pointer(name) for name in (*sent, *received)},
                "bindings": {"ws": {"query": _AFTER}},
            },
            "stream": {
                "address": "/events/",
                "messages": {name: _pointer(name) for name in sent},
                "bindings": {"http": {"query": _AFTER}},
            },
        },
        "operations": {
            "hear": _operation("send", "websocket", sent),
            "say": _operation("receive", "websocket", received),
            "listen": _operation("send", "stream", sent),
        },
        "components": {"messages": sent | received, "schemas": schemas},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


_AFTER = {
    "type": "object",
    "properties": {"after": {"type": "string", "description": "A cursor: what came since is told first."}},
}


def _bodies(kind: type[Body]) -> Iterator[type[Body]]:
    """The product's own: a test may declare others."""
    for name in sorted(CATALOGUE):
        body = CATALOGUE[name]
        if issubclass(body, kind) and not body.__module__.startswith("tests."):
            yield body


def _section(body: type[Body]) -> str:
    version = f" (version {body.version})" if body.version > 1 else ""
    return _described(f"`{body.type}`{version}", body)


def _described(title: str, shape: type[BaseModel]) -> str:
    lines = [f"### {title}\n", inspect.cleandoc(shape.__doc__ or ""), ""]
    schema = shape.model_json_schema(by_alias=True)
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        absent = "" if name in needed else ", may be absent"
        lines.append(f"- `{name}`: {_words(field, schema.get('$defs', {}))}{absent}")
    return "\n".join(lines).rstrip() + "\n"


def _words(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_words(option, definitions) for option in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_words(field.get('items', {}), definitions)}"
    if "$ref" in field:
        inner = definitions[field["$ref"].rpartition("/")[2]]
        return f"{{{', '.join(inner['properties'])}}}"
    words: str = field.get("format") or field.get("type", "anything")
    return {"null": "null", "date-time": "time", "uuid": "id", "boolean": "true or false"}.get(words, words)


def _messages() -> tuple[dict[str, Any], dict[str, Any]]:
    """By name: what the server sends, what it takes."""
    sent = {}
    for kind in (EventBody, SignalBody, ControlBody):
        for body in _bodies(kind):
            around = frame_shape(body).__name__
            sent[body.type] = _message(body.type, body, {"$ref": _REFERENCE.format(model=around)})
    received = {
        f"client.{name}": _message(name, item.shape, {"properties": {"ref": {"type": "string"}}})
        for name, item in sorted(registry.commands.items())
    }
    return sent, received


def _message(name: str, body: type[BaseModel], around: dict[str, Any]) -> dict[str, Any]:
    own = {"properties": {"type": {"const": name}, "data": {"$ref": _REFERENCE.format(model=body.__name__)}}}
    return {
        "name": name,
        "summary": inspect.cleandoc(body.__doc__ or "").splitlines()[0],
        "payload": {"allOf": [around, {"type": "object", "required": ["type", "data"], **own}]},
    }


def _schemas() -> dict[str, Any]:
    bodies = [body for kind in (EventBody, SignalBody, ControlBody) for body in _bodies(kind)]
    shapes: dict[str, type[BaseModel]] = {body.__name__: body for body in bodies}
    shapes |= {frame_shape(body).__name__: frame_shape(body) for body in bodies}
    shapes |= {item.shape.__name__: item.shape for item in registry.commands.values()}
    _, whole = models_json_schema(
        [(shapes[name], "serialization") for name in sorted(shapes)], ref_template=_REFERENCE
    )
    found: dict[str, Any] = whole["$defs"]
    return found


def _pointer(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}"}


def _operation(action: str, channel: str, messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }
