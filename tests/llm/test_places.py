"""Limits of deployments and the line before them, as rows that all workers share."""

import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from chatcore.llm import breakers, places
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment
from chatcore.llm.places import Turns
from chatcore.llm.traffic import Call, DeploymentHealth, Waiter
from tests.llm.factories import make_deployment, make_model

pytestmark = pytest.mark.django_db


def pass_time(seconds: float) -> None:
    earlier = timedelta(seconds=seconds)
    Call.objects.update(started_at=F("started_at") - earlier, expires_at=F("expires_at") - earlier)
    Waiter.objects.update(expires_at=F("expires_at") - earlier)


def turns(*waiters: int) -> Turns:
    wanted: Mapping[int, Sequence[uuid.UUID]] = dict(
        Waiter.objects.filter(pk__in=waiters).values_list("pk", "deployments")
    )
    return places.take_turns(wanted)


def test_no_more_run_at_a_time_than_may() -> None:
    deployment = make_deployment(max_concurrent=2)
    first, second = (places.take_place(deployment.pk, 1) for _ in range(2))
    assert first
    assert second
    assert places.take_place(deployment.pk, 1) is None
    places.leave(first, None)
    assert places.take_place(deployment.pk, 1)


def test_no_more_begin_within_a_minute_than_may() -> None:
    deployment = make_deployment(rpm=2)
    for _ in range(2):
        call = places.take_place(deployment.pk, 1)
        assert call
        places.leave(call, None)
    pass_time(30)
    assert places.take_place(deployment.pk, 1) is None
    pass_time(31)
    assert places.take_place(deployment.pk, 1)


def test_tokens_are_estimated_first_and_counted_then() -> None:
    deployment = make_deployment(tpm=1000)
    call = places.take_place(deployment.pk, 800)
    assert call
    assert places.take_place(deployment.pk, 300) is None
    places.leave(call, 600)
    assert places.take_place(deployment.pk, 300)


def test_a_request_larger_than_the_limit_goes_alone() -> None:
    deployment = make_deployment(tpm=1000)
    assert places.take_place(deployment.pk, 5000)
    assert places.take_place(deployment.pk, 1) is None


def test_the_places_of_a_worker_that_died_come_back() -> None:
    deployment = make_deployment(max_concurrent=1)
    dead = places.take_place(deployment.pk, 1)
    pass_time(places.CALL_LEASE - 1)
    assert dead
    places.renew([dead])
    pass_time(places.CALL_LEASE - 1)
    assert places.take_place(deployment.pk, 1) is None
    pass_time(2)
    assert places.take_place(deployment.pk, 1)


def test_what_no_limit_looks_back_on_is_forgotten() -> None:
    call = places.count_call(make_deployment().pk, 1)
    places.leave(call, None)
    places.renew([])
    assert Call.objects.exists()
    pass_time(121)
    places.renew([])
    assert not Call.objects.exists()


def test_nobody_overtakes_those_in_line() -> None:
    deployment = make_deployment(max_concurrent=1)
    call = places.take_place(deployment.pk, 1)
    assert call
    waiter = places.join_line([deployment.pk], 1)
    places.leave(call, None)
    assert places.take_place(deployment.pk, 1) is None
    assert turns(waiter).places[waiter].deployment_id == deployment.pk
    assert not Waiter.objects.exists()


def test_positions_count_all_workers() -> None:
    deployment = make_deployment(max_concurrent=1)
    call = places.take_place(deployment.pk, 1)
    line = [places.join_line([deployment.pk], 1) for _ in range(4)]
    assert turns(*line[1::2]).positions == {line[1]: 2, line[3]: 4}
    assert call
    places.leave(call, None)
    other = turns(*line[1::2])  # the first place is another worker's, and left for it
    assert (other.places, other.positions) == ({}, {line[1]: 1, line[3]: 3})
    assert set(turns(*line[::2]).places) == {line[0]}


def test_a_waiter_of_a_worker_that_died_holds_nobody_up() -> None:
    deployment = make_deployment(max_concurrent=1)
    call = places.take_place(deployment.pk, 1)
    assert call
    places.join_line([deployment.pk], 1)
    pass_time(places.WAITER_LEASE + 0.1)
    places.renew([call])
    living = places.join_line([deployment.pk], 1)
    assert turns(living).positions == {living: 1}


def test_whoever_wants_several_takes_the_first_that_is_free() -> None:
    model = make_model()
    first, second = (make_deployment(model, max_concurrent=1) for _ in range(2))
    calls = [places.take_place(each.pk, 1) for each in (first, second)]
    only_first = places.join_line([first.pk], 1)
    either = places.join_line([first.pk, second.pk], 1)
    assert calls[1]
    places.leave(calls[1], None)
    dealt = turns(only_first, either)
    assert dealt.positions == {only_first: 1}
    assert dealt.places[either].deployment_id == second.pk


def test_there_is_nothing_to_wait_for_where_every_breaker_opened() -> None:
    deployment = make_deployment(max_concurrent=1)
    places.take_place(deployment.pk, 1)
    waiter = places.join_line([deployment.pk], 1)
    breakers.note_failure(deployment.pk, ProviderError("auth"))
    assert turns(waiter) == Turns()


def half_open(deployment: Deployment) -> None:
    """A failure opened its breaker, and its time is over."""
    breakers.note_failure(deployment.pk, ProviderError("rate_limited", retry_after=1))
    DeploymentHealth.objects.update(open_until=F("opened_at"))


def test_the_first_in_line_tries_a_half_open_breaker_and_the_others_wait_for_what_comes_of_it() -> None:
    deployment = make_deployment(max_concurrent=2)
    calls = [places.take_place(deployment.pk, 1) for _ in range(2)]
    half_open(deployment)
    line = [places.join_line([deployment.pk], 1) for _ in range(3)]
    assert turns(*line) == Turns(positions={line[0]: 1, line[1]: 2, line[2]: 3})
    for call in calls:
        assert call
        places.leave(call, None)
    dealt = turns(*line)
    assert dealt.positions == {line[1]: 1, line[2]: 2}
    probe = dealt.places[line[0]].probe
    assert probe
    assert breakers.take_probe(deployment.pk) is None
    assert turns(*line[1:]).positions == {line[1]: 1, line[2]: 2}
    breakers.note_first_token(deployment.pk, probe)
    after = turns(*line[1:])
    assert after.places[line[1]].probe is None
    assert after.positions == {line[2]: 1}


def test_the_turn_at_a_half_open_breaker_is_left_to_the_other_workers_waiter() -> None:
    deployment = make_deployment(max_concurrent=2)
    half_open(deployment)
    theirs, mine = (places.join_line([deployment.pk], 1) for _ in range(2))
    assert turns(mine) == Turns(positions={mine: 1})
    assert turns(theirs).places[theirs].probe


def test_those_in_line_wait_on_where_the_provider_was_changed_since_its_breaker_opened() -> None:
    deployment = make_deployment(max_concurrent=1)
    places.take_place(deployment.pk, 1)
    waiter = places.join_line([deployment.pk], 1)
    breakers.note_failure(deployment.pk, ProviderError("auth"))
    deployment.provider.save()
    assert turns(waiter).positions == {waiter: 1}


def test_a_limit_that_is_raised_counts_for_those_who_wait() -> None:
    deployment = make_deployment(max_concurrent=1)
    places.take_place(deployment.pk, 1)
    waiter = places.join_line([deployment.pk], 1)
    Deployment.objects.update(max_concurrent=2)
    assert waiter in turns(waiter).places


@pytest.mark.django_db(transaction=True)
def test_workers_that_take_places_at_once_take_no_more_than_there_are() -> None:
    deployment, barrier = make_deployment(max_concurrent=3), threading.Barrier(8)

    def take() -> Any:
        try:
            barrier.wait(10)
            return places.take_place(deployment.pk, 1)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        taken = [each.result() for each in [pool.submit(take) for _ in range(8)]]
    assert len([call for call in taken if call]) == 3
