"""One grant, `resource:action[:selector]`: how it is written, what it covers. Anything else is denied."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from django.core.exceptions import ValidationError

ANY = "*"
EVERYTHING = "*:*"
_SHAPE = re.compile(r"(\*|[a-z][a-z_]*):(\*|[a-z][a-z_]*)(?::([\w.@/+:*-]{1,100}))?", re.ASCII)


@dataclass(frozen=True)
class Grant:
    """`*` stands for a whole segment; an empty selector is every one; only models may have a glob there."""

    resource: str
    action: str
    selector: str = ""

    def covers(self, resource: str, action: str, selector: str) -> bool:
        if self.resource not in (ANY, resource) or self.action not in (ANY, action):
            return False
        return self.selector in ("", ANY, selector) or (self.is_glob and fnmatchcase(selector, self.selector))

    @property
    def is_glob(self) -> bool:
        return self.resource == "models" and ANY in self.selector


@lru_cache(maxsize=4096)
def parse(text: str) -> Grant | None:
    """None where the text is no grant: a grant that cannot be read allows nothing."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    grant = Grant(match[1], match[2], match[3] or "")
    stray_glob = ANY in grant.selector and grant.selector != ANY and not grant.is_glob
    return None if stray_glob else grant


def covered(granted: Iterable[str], resource: str, action: str, selector: str = "") -> bool:
    """Whether one of the granted texts covers what is asked. No selector asks for all of the resource."""
    return any(grant.covers(resource, action, selector) for text in granted if (grant := parse(text)))


def selectors(granted: Iterable[str], resource: str, action: str) -> frozenset[str] | None:
    """Which ones of a resource are granted by name: None means every one, an empty set none."""
    found: set[str] = set()
    for text in granted:
        grant = parse(text)
        if grant is None or not grant.covers(resource, action, grant.selector):
            continue
        if grant.selector in ("", ANY):
            return None
        found.add(grant.selector)
    return frozenset(found)


def validate_grant(text: str) -> None:
    if parse(text) is None:
        raise ValidationError(
            "%(text)s is not a grant: write resource:action[:selector].",
            params={"text": text},
        )
