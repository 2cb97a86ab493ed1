"""Whose address a request comes from, and which networks hold it."""

import pytest
from django.core.exceptions import ValidationError

from chatcore.security.addresses import client_address, is_within, validate_network

PROXIES = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("remote", "forwarded", "client"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # a stranger's claim
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what the client wrote itself
        ("10.1.1.1", "198.51.100.1, 10.2.2.2", "198.51.100.1"),  # two proxies
        ("127.0.0.1", "10.2.2.2", "10.2.2.2"),  # a client inside
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("::ffff:127.0.0.1", "[2606:4700::1]:443", "2606:4700::1"),
        ("2001:db8::5", "::ffff:198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
        ("not an address", "", ""),
    ],
)
def test_the_first_stranger_from_the_right_is_the_client(
    settings: pytest.FixtureRequest, remote: str, forwarded: str, client: str
) -> None:
    settings.TRUSTED_PROXIES = PROXIES  # type: ignore[attr-defined]
    assert client_address(remote, forwarded) == client


def test_without_trusted_proxies_nothing_is_believed(settings: pytest.FixtureRequest) -> None:
    settings.TRUSTED_PROXIES = []  # type: ignore[attr-defined]
    assert client_address("127.0.0.1", "198.51.100.1") == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.3.7", ["192.0.2.0/24", "192.0.3.7"], True),
        ("192.0.3.8", ["192.0.2.0/24", "192.0.3.7"], False),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["::/0"], False),
        ("", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_a_network_holds_its_addresses_and_no_other(address: str, networks: list[str], inside: bool) -> None:
    assert is_within(address, networks) is inside


@pytest.mark.parametrize("text", ["", "example.com", "10.0.0.1/8", "10.0.0.0/33", "1.2.3", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        validate_network(text)
