"""A dialogue as a client sends it again with every request, and how it is recognised."""

import hashlib
import json
from collections.abc import Sequence

from conversations.actions.dialogues import Spoken


def instructions(dialogue: Sequence[Spoken]) -> tuple[str, list[Spoken]]:
    """The system messages it begins with as one text, and the rest."""
    count = next((at for at, spoken in enumerate(dialogue) if spoken.role != "system"), len(dialogue))
    return "\n\n".join(spoken.text for spoken in dialogue[:count]), list(dialogue[count:])


def halves(spoken: Sequence[Spoken]) -> tuple[list[Spoken], list[Spoken]]:
    """What was said up to and with the model's last answer, and what is new."""
    count = next((at for at in range(len(spoken), 0, -1) if spoken[at - 1].role == "assistant"), 0)
    return list(spoken[:count]), list(spoken[count:])


def digest(system: str, spoken: Sequence[Spoken]) -> str:
    """SHA-256 in hexadecimal: the same dialogue has the same one."""
    told = [
        system,
        *([one.role, one.text, one.calls, one.call, *([one.files] if one.files else [])] for one in spoken),
    ]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
