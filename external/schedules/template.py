"""A schedule's message with the names of its moment filled in."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from chatcore.texts import refused

PLACES = ("date", "time", "weekday", "due_at", "name")
_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def check(content: str, pointer: str = "/content") -> None:
    """Raises Invalid where `{{…}}` names nothing that can be filled in."""
    for name in _PLACE.findall(content):
        if name not in PLACES:
            known = ", ".join(f"{{{{{place}}}}}" for place in PLACES)
            raise refused(
                pointer, f"has {{{{{name[:40]}}}}}; what can be filled in is {known}", "placeholder"
            )


def filled(content: str, *, name: str, time_zone: str, due_at: datetime) -> str:
    """`{{date}}`, `{{time}}` and `{{weekday}}` by the clock of the time zone, `{{due_at}}` with its offset, `{{name}}`."""
    at = due_at.astimezone(ZoneInfo(time_zone))
    values = {
        "date": f"{at:%Y-%m-%d}",
        "time": f"{at:%H:%M}",
        "weekday": f"{at:%A}",
        "due_at": at.isoformat(timespec="seconds"),
        "name": name,
    }
    return _PLACE.sub(lambda found: values.get(found[1], found[0]), content)
