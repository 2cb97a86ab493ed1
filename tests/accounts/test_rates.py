"""Networks and rate limits at both halves of the API: what a refusal says, and what every answer tells."""

import asyncio
import re

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from chatcore.accounts import keys
from tests.accounts.doors import DOORS, bearer, post_json
from tests.accounts.factories import make_integration, make_key_text, make_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("standing_clock")]
RATE = re.compile(r'"\w+";r=\d+;t=\d+(, "\w+";r=\d+;t=\d+)*')


@pytest.fixture(params=DOORS, ids=["drf", "ninja"])
def door(request):
    return request.param


def key_of(**fields):
    return keys.mint(make_integration(acts_as=make_member(role="owner"), **fields))[1]


def test_every_answer_says_what_is_left(door, client):
    owner = make_member(role="owner")
    client.force_login(owner)
    key = bearer(make_key_text(owner))
    answers = {
        "a key's": (Client().get(door, **key), "integration", 200),
        "a session's": (client.get(door), "user", 200),
        "a forged request's": (Client(enforce_csrf_checks=True, headers=key["headers"]).put(door), "", 0),
        "a bad key's": (Client().get(door, **bearer("cc_live_wrong")), "address", 401),
        "a stranger's": (Client().get(door), "address", 401),
        "what is not there": (Client().get("/api/v1/nothing/"), "address", 404),
        "a foreign workspace's": (
            Client().get(door, headers=key["headers"] | {"X-Workspace": "elsewhere"}),
            "address",
            404,
        ),
    }
    for name, (answer, payer, status) in answers.items():
        assert RATE.fullmatch(answer["RateLimit"]), name
        assert answer["RateLimit-Policy"].startswith(f'"{payer}'), name
        assert status in (0, answer.status_code), name


def test_who_asks_too_often_is_told_when_to_come_back(door):
    text = key_of(constraints={"requests_per_minute": 2})
    client = Client(headers={"X-API-Key": text})
    assert [client.get(door).status_code for _ in range(2)] == [200, 200]
    refused = client.get(door)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused["RateLimit"].startswith('"integration";r=0;')
    reset = int(re.search(r"r=0;t=(\d+)", refused["RateLimit"])[1])
    assert 1 <= int(refused["Retry-After"]) == reset <= 60


@pytest.mark.django_db(transaction=True)
async def test_a_crowd_with_one_key_gets_what_its_rate_allows_and_no_more():
    text = await sync_to_async(key_of)(constraints={"requests_per_minute": 3})
    other = await sync_to_async(key_of)()
    headers = [{"X-API-Key": text}] * 5 + [{"X-API-Key": other}, {"X-API-Key": "cc_live_wrong"}]
    answers = await asyncio.gather(*(AsyncClient().get("/api/v1/ninja", headers=each) for each in headers))
    assert sorted(answer.status_code for answer in answers[:5]) == [200, 200, 200, 429, 429]
    assert [answer.status_code for answer in answers[5:]] == [200, 401]
    assert answers[0].json()["workspace"] != answers[5].json()["workspace"]


def test_rotating_the_key_buys_no_requests(door):
    integration = make_integration(acts_as=make_member(), constraints={"requests_per_minute": 1})
    first, second = keys.mint(integration)[1], keys.rotate(integration)[1]
    statuses = [Client(headers={"X-API-Key": text}).get(door).status_code for text in (first, second)]
    assert statuses == [200, 429]


def test_guesses_at_keys_run_out_for_an_address_and_for_no_other(door, settings):
    settings.RATE_LIMIT_ADDRESS = 3
    guesses = [Client().get(door, **bearer("cc_live_guess")).status_code for _ in range(4)]
    assert guesses == [401, 401, 401, 429]
    elsewhere = Client(REMOTE_ADDR="192.0.2.9").get(door, **bearer("cc_live_guess"))
    assert elsewhere.status_code == 401
    assert Client().get(door, **bearer(make_key_text())).status_code == 200, "a good key is no guess"


def test_a_key_opens_from_its_networks_only(door, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    text = key_of(allowed_addresses=["192.0.2.0/24"])
    for remote, forwarded, refused in [
        ("192.0.2.7", None, ""),
        ("198.51.100.1", None, "198.51.100.1"),
        ("198.51.100.1", "192.0.2.7", "198.51.100.1"),
        ("10.1.1.1", "192.0.2.7", ""),
        ("10.1.1.1", "192.0.2.7, 198.51.100.2", "198.51.100.2"),
        ("10.1.1.1", None, "10.1.1.1"),
        ("", None, "an address that nobody knows"),
    ]:
        headers = {"X-API-Key": text} | ({"X-Forwarded-For": forwarded} if forwarded else {})
        answer = Client(REMOTE_ADDR=remote).get(door, headers=headers)
        assert answer.status_code == (403 if refused else 200), (remote, forwarded)
        if refused:
            problem = answer.json()
            assert problem["code"] == "address_not_allowed"
            assert f"from {refused}," in problem["detail"]


def test_a_wrong_key_from_a_wrong_address_is_only_wrong(door):
    """Whether a key is held to networks is told to nobody who does not have it."""
    key_of(allowed_addresses=["192.0.2.0/24"])
    bodies = [
        Client(REMOTE_ADDR=remote).get(door, **bearer(text)).json() | {"instance": ""}
        for remote in ("192.0.2.7", "198.51.100.1")
        for text in ("cc_live_wrong", f"cc_live_{'a' * 12}_{'b' * 32}_000000", "")
    ]
    assert all(body == bodies[0] and body["status"] == 401 for body in bodies)


def test_the_network_is_asked_before_the_rate(door):
    text = key_of(allowed_addresses=["192.0.2.0/24"], constraints={"requests_per_minute": 1})
    outside = Client(REMOTE_ADDR="198.51.100.1", headers={"X-API-Key": text})
    assert [post_json(outside, door).status_code for _ in range(3)] == [403, 403, 403]
    inside = Client(REMOTE_ADDR="192.0.2.7", headers={"X-API-Key": text})
    assert [inside.get(door).status_code for _ in range(2)] == [200, 429]
