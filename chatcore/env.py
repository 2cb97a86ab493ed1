"""Reads settings from the environment; a value that cannot be used stops the start and says why."""

import os
from collections.abc import Callable
from ipaddress import ip_network
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


def text(name: str, default: str = "") -> str:
    """The variable's text, or the default where it is absent or empty."""
    return os.environ.get(name, "").strip() or default


def integer(name: str, default: int) -> int:
    return _read(name, default, int, "a whole number")


def decimal(name: str, default: float) -> float:
    return _read(name, default, float, "a number")


def flag(name: str, *, default: bool = False) -> bool:
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    return _read(name, default, lambda value: words[value.lower()], "one of true, false")


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str, default: str = "") -> list[str]:
    """A comma-separated list of addresses or networks (CIDR)."""
    return _read(
        name, default.split(",") if default else [], _networks, "a list of networks such as 10.0.0.0/8"
    )


def _networks(value: str) -> list[str]:
    return [str(ip_network(word.strip())) for word in value.split(",") if word.strip()]


def _read(name: str, default: T, convert: Callable[[str], T], wanted: str) -> T:
    value = text(name)
    if not value:
        return default
    try:
        return convert(value)
    except (ValueError, KeyError):
        raise ImproperlyConfigured(f"{name}={value!r} is not {wanted}. Correct it or unset it.") from None
