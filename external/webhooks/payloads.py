"""What is sent of an event. Made once for each delivery: every attempt sends the same bytes."""

import functools
import json
import typing
import uuid
from typing import Any, Literal

from chatcore.realtime.catalogue import CATALOGUE
from chatcore.realtime.log import frame_body
from chatcore.realtime.models import Event

FORM = 1  # of the envelope; a webhook keeps to the one it was made with


def body_of(event: Event, payload: Literal["full", "thin"] | str, hops: int) -> str:
    """JSON: `type`, `timestamp` and `data` as Standard Webhooks recommends, and where and by whom it happened.

    `thin` leaves of `data` only what names things, for receivers that fetch the rest with their own rights.
    """
    frame = frame_body(event)
    data = frame["data"] if payload == "full" else thin(event.type, frame["data"])
    return compact(
        {
            "type": event.type,
            "timestamp": frame["at"],
            "version": FORM,
            "event": event.id,
            "workspace": frame["workspace"],
            "conversation": frame["conversation"],
            "actor": event.actor,
            "hops": hops,
            "data": data,
        }
    )


def compact(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def thin(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """The ids in it, and nothing that was written."""
    return {name: data[name] for name in _ids(event_type) if name in data}


@functools.cache
def _ids(event_type: str) -> tuple[str, ...]:
    shape = CATALOGUE.get(event_type)
    fields = shape.model_fields if shape else {}
    return tuple(name for name, field in fields.items() if _names_a_thing(field.annotation))


def _names_a_thing(annotation: Any) -> bool:
    return annotation is uuid.UUID or uuid.UUID in typing.get_args(annotation)
