"""A schedule's message with the names of its moment filled in."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from chatcore.texts import refused

PLACES = ("date", "time", "weekday", "due_at", "name")
_PLACE = re.compile(r"\{\{([^{}]*)\}\}")


def check(content: str, pointer: str = "/content") -> None:
    """Raises Invalid where `{{…}}` names nothing that can be filled in."""
    for name in map(str.strip, _PLACE.findall(content)):
        if name not in PLACES:
            known = ", ".join(f"{{{{{place}}}}}" for place in PLACES)
            raise refused(
                pointer, f"has {{{{{name[:40]}}}}}; what can be filled in is {known}", "placeholder"
            )


@dataclass(frozen=True)
class Moment:
    """What a message is filled with: the schedule's name, and when it is due by the clock of the time zone."""

    name: str
    time_zone: str
    due_at: datetime


def filled(content: str, moment: Moment) -> str:
    """`{{due_at}}` carries its offset."""
    at = moment.due_at.astimezone(ZoneInfo(moment.time_zone))
    values = {
        "date": f"{at:%Y-%m-%d}",
        "time": f"{at:%H:%M}",
        "weekday": f"{at:%A}",
        "due_at": at.isoformat(timespec="seconds"),
        "name": moment.name,
    }
    return _PLACE.sub(lambda found: values.get(found[1].strip(), found[0]), content)
