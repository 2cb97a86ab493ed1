"""Rate limits: who pays, when it is too much, when to come back, and what a store that is down changes."""

import re
import time
import uuid
from typing import Any

import pytest

from chatcore.accounts.models import Integration, User, Workspace
from chatcore.accounts.principals import Principal
from chatcore.errors import TooMany, Unavailable
from chatcore.security import limits, windows
from chatcore.security.limits import (
    CostTooHigh,
    charge,
    charge_address,
    headers_of,
    left_to,
    take_bursts,
    take_whole_burst,
)
from chatcore.security.windows import Counters, Window
from tests.servers import free_port

WORKSPACE = Workspace(name="Home")


def of_integration(workspace: Workspace = WORKSPACE, **constraints: Any) -> Principal:
    integration = Integration(workspace=workspace, name="Bell", constraints=constraints)
    return Principal(None, workspace, integration, frozenset(), "", credential="key")


def clock(monkeypatch: pytest.MonkeyPatch, moment: float) -> None:
    monkeypatch.setattr("time.time", lambda: moment)


@pytest.fixture(autouse=True)
def _standing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window ends while a test runs, however long that takes."""
    clock(monkeypatch, 1_000_000.0)


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, settings: Any) -> str:
    if request.param == "redis":
        settings.REDIS_URL = request.getfixturevalue("redis_url")
        settings.REDIS_PREFIX = uuid.uuid4().hex
    return str(request.param)


@pytest.mark.usefixtures("store")
def test_what_is_used_up_is_refused_until_the_window_ends() -> None:
    principal = of_integration(requests_per_minute=3)
    for left in (2, 1, 0):
        charge(principal)
        assert principal.rates["integration"].remaining == left
    with pytest.raises(TooMany) as refused:
        charge(principal)
    assert 1 <= (refused.value.retry_after or 0) <= 60
    assert principal.rates["integration"].remaining == 0
    charge(of_integration(requests_per_minute=3))


@pytest.mark.usefixtures("store")
def test_a_cost_is_taken_as_a_whole_or_not_at_all() -> None:
    principal = of_integration(requests_per_minute=10)
    charge(principal, 7)
    with pytest.raises(TooMany):
        charge(principal, 4)
    charge(principal, 3)
    assert principal.rates["integration"].remaining == 0


@pytest.mark.usefixtures("store")
def test_a_full_workspace_costs_the_integration_nothing(settings: Any) -> None:
    settings.RATE_LIMIT_WORKSPACE = 2
    workspace = Workspace(name="Small")
    charge(of_integration(workspace), 2)
    late = of_integration(workspace, requests_per_minute=5)
    with pytest.raises(TooMany, match="workspace"):
        charge(late)
    assert late.rates["integration"].remaining == 5


@pytest.mark.usefixtures("store")
def test_a_conversation_takes_a_burst_and_of_the_next_what_is_left(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    clock(monkeypatch, start)
    talk, other = uuid.uuid4(), uuid.uuid4()
    assert take_bursts({talk: 3})[talk].taken == 3
    found = take_bursts({talk: 4, other: 1})
    assert (found[talk].taken, found[other].taken) == (2, 1)
    assert 1 <= (found[talk].refusal.retry_after or 0) <= 5
    assert take_bursts({talk: 1})[talk].taken == 0
    clock(monkeypatch, start + 5.1)
    assert take_bursts({talk: 9})[talk].taken == 5
    settings.RATE_LIMIT_CONVERSATION = 0
    assert take_bursts({talk: 1}) == {}


@pytest.mark.usefixtures("store")
def test_a_whole_burst_is_taken_by_all_its_conversations_or_by_none(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    talk, other = uuid.uuid4(), uuid.uuid4()
    take_whole_burst({talk: 2})
    clock(monkeypatch, start + 3)
    take_whole_burst({talk: 1, other: 1})
    waits = {}
    for units in (3, 4, 9):
        with pytest.raises(TooMany) as refused:
            take_whole_burst({talk: units, other: 1})
        waits[units] = refused.value.retry_after
    assert waits == {3: 2, 4: 2, 9: 5}, "as long as it takes until so many are free"
    assert take_bursts({other: 9})[other].taken == 4, "a refusal has cost nothing"

    clock(monkeypatch, start + 8.1)
    take_whole_burst({talk: 9})
    assert take_bursts({talk: 1})[talk].taken == 0
    settings.RATE_LIMIT_CONVERSATION = 0
    take_whole_burst({talk: 9})


def test_retry_after_is_never_too_early_and_never_a_window_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    for start in (1_000_000.0, 1_000_000.3, 1_000_059.999):
        windows.forget()
        clock(monkeypatch, start)
        principal = of_integration(requests_per_minute=1)
        charge(principal)
        with pytest.raises(TooMany) as refused:
            charge(principal)
        wait = refused.value.retry_after or 0
        clock(monkeypatch, start + wait - 1.001)
        with pytest.raises(TooMany):
            charge(principal)
        clock(monkeypatch, start + wait)
        charge(principal)


def test_more_than_a_minute_holds_is_no_matter_of_waiting() -> None:
    with pytest.raises(CostTooHigh):
        charge(of_integration(requests_per_minute=5), 6)


def test_keys_of_one_integration_pay_together_and_people_pay_for_themselves() -> None:
    principal = of_integration(requests_per_minute=2)
    other_key = Principal(None, WORKSPACE, principal.integration, frozenset(), "", credential="key")
    charge(principal)
    charge(other_key)
    with pytest.raises(TooMany):
        charge(principal)
    person = Principal(User(email="a@example.com"), WORKSPACE, None, frozenset(), "member")
    charge(person)
    assert set(person.rates) == {"user", "workspace"}


def test_nothing_limits_where_the_limit_is_zero(settings: Any) -> None:
    settings.RATE_LIMIT_KEY = settings.RATE_LIMIT_WORKSPACE = settings.RATE_LIMIT_ADDRESS = 0
    principal = of_integration()
    charge(principal, 10**6)
    assert headers_of(principal.rates) == {}
    assert charge_address("192.0.2.7") == left_to("192.0.2.7") == {}


def test_the_headers_are_those_of_the_draft() -> None:
    principal = of_integration(requests_per_minute=600)
    charge(principal)
    headers = headers_of(principal.rates)
    assert headers["RateLimit-Policy"] == '"integration";q=600;w=60, "workspace";q=60000;w=60'
    assert re.fullmatch(r'"integration";r=599;t=\d{1,2}, "workspace";r=59999;t=\d{1,2}', headers["RateLimit"])


@pytest.mark.usefixtures("store")
def test_an_address_is_left_fewer_tries_with_each_that_fails(settings: Any) -> None:
    settings.RATE_LIMIT_ADDRESS = 2
    for left in (1, 0):
        assert charge_address("192.0.2.7")["address"].remaining == left
        assert left_to("192.0.2.7")["address"].remaining == left
    with pytest.raises(TooMany):
        charge_address("192.0.2.7")
    charge_address("192.0.2.8")


def test_a_store_that_is_down_lets_known_askers_pass_within_a_cap_of_this_process(settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    principal = of_integration(requests_per_minute=2)
    charge(principal)
    charge(principal)
    with pytest.raises(TooMany):
        charge(principal)
    with pytest.raises(Unavailable):
        charge_address("192.0.2.7")


def test_processes_that_share_a_store_count_together(settings: Any, redis_url: str) -> None:
    settings.REDIS_URL, settings.REDIS_PREFIX = redis_url, uuid.uuid4().hex
    principal = of_integration(requests_per_minute=2)
    charge(principal)
    windows.forget()  # as another process begins
    charge(principal)
    with pytest.raises(TooMany):
        limits.charge(principal)


def test_windows_of_different_subjects_do_not_begin_together() -> None:
    ends = {Window("integration", str(number), 1).resets_in(1_000_000.0) for number in range(200)}
    assert len(ends) > 40
    assert min(ends) >= 1
    assert max(ends) <= 60


def test_counting_in_memory_holds_when_many_ask_at_once() -> None:
    from limits.storage import MemoryStorage

    from tests.accounts.parallel import in_parallel

    counters, window = Counters(MemoryStorage()), Window("integration", "one", 100)
    taken = in_parallel(8, lambda: [counters.take([window], 1, 1_000_000.0)[0].refused for _ in range(25)])
    assert sum(refused for each in taken for refused in each) == 100
