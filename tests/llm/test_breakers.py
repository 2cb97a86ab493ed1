"""The circuit breaker of a deployment, as its row has it."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from chatcore.accounts.models import Membership, User, Workspace
from chatcore.llm import breakers
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment
from chatcore.llm.traffic import DeploymentHealth
from chatcore.realtime.models import Event
from tests.llm.factories import make_deployment, make_model

pytestmark = pytest.mark.django_db
DOWN = ProviderError("unavailable", "connection refused")


def health_of(deployment: Deployment) -> DeploymentHealth:
    return DeploymentHealth.objects.get(deployment=deployment)


def fail(deployment: Deployment, times: int = 1, error: ProviderError = DOWN) -> DeploymentHealth:
    for _ in range(times):
        breakers.note_failure(deployment.pk, error)
    return health_of(deployment)


def pass_time(deployment: Deployment, seconds: float) -> None:
    """As if everything had happened that much earlier."""
    earlier = {
        name: F(name) - timedelta(seconds=seconds)
        for name in ("failed_at", "opened_at", "open_until", "not_before", "probing_until")
    }
    DeploymentHealth.objects.filter(deployment=deployment).update(**earlier)
    past = timezone.now() - timedelta(days=1)
    Deployment.objects.filter(pk=deployment.pk).update(updated_at=past)
    type(deployment.provider).objects.filter(pk=deployment.provider_id).update(updated_at=past)


def window(health: DeploymentHealth) -> float:
    assert health.open_until
    assert health.opened_at
    return (health.open_until - health.opened_at).total_seconds()


@pytest.fixture
def deployment() -> Deployment:
    return make_deployment()


def test_three_failures_in_a_row_open_it_for_half_a_minute(deployment: Deployment) -> None:
    assert not breakers.is_open(fail(deployment, 2))
    health = fail(deployment)
    assert breakers.is_open(health)
    assert window(health) == pytest.approx(30)
    assert (health.code, health.detail) == ("unavailable", "connection refused")


def test_an_answer_between_failures_forgets_them(deployment: Deployment) -> None:
    fail(deployment, 2)
    breakers.note_success(deployment.pk)
    assert not breakers.is_open(fail(deployment, 2))


def test_success_writes_nothing_where_nothing_was(deployment: Deployment) -> None:
    breakers.note_success(deployment.pk)
    assert not DeploymentHealth.objects.exists()


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ProviderError("auth", upstream_status=401), 30),
        (ProviderError("auth", upstream_status=403), 30),
        (ProviderError("rate_limited", retry_after=7, upstream_status=429), 7),
        (ProviderError("overloaded", retry_after=120, upstream_status=503), 120),
        (ProviderError("rate_limited", retry_after=1e6), 3600),
    ],
)
def test_what_a_provider_says_itself_opens_it_at_once(
    deployment: Deployment, error: ProviderError, seconds: float
) -> None:
    assert window(fail(deployment, error=error)) == pytest.approx(seconds)


def test_it_stays_open_until_its_time_is_over_and_then_one_may_try(deployment: Deployment) -> None:
    pass_time(deployment, 0)
    fail(deployment, 3)
    pass_time(deployment, 29)
    assert breakers.take_probe(deployment.pk) is None
    pass_time(deployment, 1.5)
    probe = breakers.take_probe(deployment.pk)
    assert probe
    assert breakers.take_probe(deployment.pk) is None
    breakers.give_back_probe(deployment.pk, probe)
    assert breakers.take_probe(deployment.pk)


def test_a_probe_whose_worker_died_is_over_some_time(deployment: Deployment) -> None:
    fail(deployment, 3)
    pass_time(deployment, 31)
    dead = breakers.take_probe(deployment.pk)
    pass_time(deployment, 90)
    assert breakers.take_probe(deployment.pk)
    assert dead
    breakers.note_first_token(deployment.pk, dead)
    assert breakers.is_open(health_of(deployment))


def test_each_probe_that_fails_doubles_the_time_up_to_five_minutes(deployment: Deployment) -> None:
    windows = [window(fail(deployment, 3))]
    for _ in range(5):
        pass_time(deployment, 400)
        breakers.note_failure(deployment.pk, DOWN, breakers.take_probe(deployment.pk))
        windows.append(window(health_of(deployment)))
    assert windows == pytest.approx([30, 60, 120, 240, 300, 300])


def test_the_windows_are_settings(deployment: Deployment, settings: Settings) -> None:
    settings.MODEL_BREAKER_SECONDS, settings.MODEL_BREAKER_LONGEST = 2, 3
    assert window(fail(deployment, 3)) == pytest.approx(2)
    pass_time(deployment, 5)
    breakers.note_failure(deployment.pk, DOWN, breakers.take_probe(deployment.pk))
    assert window(health_of(deployment)) == pytest.approx(3)


def test_one_that_answers_and_breaks_off_again_opens_for_longer(deployment: Deployment) -> None:
    fail(deployment, 3)
    pass_time(deployment, 31)
    probe = breakers.take_probe(deployment.pk)
    assert probe
    breakers.note_first_token(deployment.pk, probe)
    assert not breakers.is_open(health_of(deployment))
    assert window(fail(deployment, error=ProviderError("cut_off"))) == pytest.approx(60)


def test_after_a_whole_answer_all_is_forgotten(deployment: Deployment) -> None:
    fail(deployment, 3)
    pass_time(deployment, 31)
    probe = breakers.take_probe(deployment.pk)
    assert probe
    breakers.note_first_token(deployment.pk, probe)
    breakers.note_success(deployment.pk)
    assert not breakers.is_open(fail(deployment, 2))
    assert window(fail(deployment)) == pytest.approx(30)


def test_requests_from_before_it_opened_change_nothing(deployment: Deployment) -> None:
    before = fail(deployment, 3)
    after = fail(deployment, 5, ProviderError("timeout"))
    breakers.note_success(deployment.pk)
    assert (after.open_until, after.failures, after.code) == (before.open_until, before.failures, before.code)
    assert breakers.is_open(health_of(deployment))


def test_requests_from_before_it_opened_change_nothing_either_once_it_has_closed(
    deployment: Deployment,
) -> None:
    fail(deployment, 3)
    pass_time(deployment, 31)
    probe = breakers.take_probe(deployment.pk)
    assert probe
    breakers.note_first_token(deployment.pk, probe)
    for _ in range(5):
        breakers.note_failure(deployment.pk, ProviderError("timeout"), seconds=60)
    assert not breakers.is_open(health_of(deployment))
    breakers.note_failure(deployment.pk, ProviderError("timeout"), seconds=20)
    assert window(health_of(deployment)) == pytest.approx(60)


def test_a_change_of_the_provider_lets_one_try_at_once(deployment: Deployment) -> None:
    fail(deployment, error=ProviderError("auth"))
    assert breakers.take_probe(deployment.pk) is None
    deployment.provider.credential = "sk-the-right-one"
    deployment.provider.save()
    assert breakers.take_probe(deployment.pk)


def test_where_nobody_else_answers_one_tries_early_but_not_again_and_again(deployment: Deployment) -> None:
    pass_time(deployment, 0)
    opened = fail(deployment, 3)
    assert breakers.take_probe(deployment.pk, early=True) is None
    pass_time(deployment, 6)
    probe = breakers.take_probe(deployment.pk, early=True)
    assert probe
    until = health_of(deployment).open_until
    breakers.note_failure(deployment.pk, DOWN, probe)
    health = health_of(deployment)
    assert health.open_until == until
    assert health.openings == opened.openings
    assert breakers.take_probe(deployment.pk, early=True) is None


@pytest.mark.parametrize("error", [ProviderError("auth"), ProviderError("rate_limited", retry_after=20)])
def test_nobody_tries_early_what_was_told_to_wait(deployment: Deployment, error: ProviderError) -> None:
    pass_time(deployment, 0)
    fail(deployment, error=error)
    pass_time(deployment, 10)
    assert breakers.take_probe(deployment.pk, early=True) is None


def test_of_many_workers_exactly_one_may_try(transactional_db: None) -> None:
    deployment = make_deployment()
    fail(deployment, 3)
    pass_time(deployment, 31)
    probes = at_once(8, lambda: breakers.take_probe(deployment.pk))
    assert len([probe for probe in probes if probe]) == 1


def test_of_many_failures_at_once_none_is_lost_and_it_is_told_once(transactional_db: None) -> None:
    deployment = make_deployment(make_model(workspace=(owner := make_owner()).workspace))
    at_once(8, lambda: breakers.note_failure(deployment.pk, DOWN))
    assert health_of(deployment).failures == 3
    assert [event.audience for event in Event.objects.all()] == [[owner.user_id]]


def at_once(number: int, function: Callable[[], Any]) -> list[Any]:
    """Calls it in as many threads, each with a connection of its own."""
    barrier = Barrier(number)

    def call() -> Any:
        try:
            barrier.wait(10)
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return [each.result() for each in [pool.submit(call) for _ in range(number)]]


def make_owner(role: str = "owner", workspace: Workspace | None = None, **fields: Any) -> Membership:
    user = User.objects.create_user(f"{uuid.uuid4()}@example.com", **fields)
    workspace = workspace or Workspace.objects.create(name="A workspace")
    return Membership.objects.create(user=user, workspace=workspace, role=role)


def test_owners_and_admins_of_the_workspace_hear_of_it() -> None:
    owner = make_owner()
    admin = make_owner("admin", owner.workspace)
    make_owner("member", owner.workspace)
    make_owner()
    deployment = make_deployment(make_model("small", workspace=owner.workspace))
    fail(deployment, 3)
    event = Event.objects.get()
    assert (event.type, event.workspace_id) == ("breaker.opened", owner.workspace_id)
    assert set(event.audience) == {owner.user_id, admin.user_id}
    assert (event.payload["model"], event.payload["code"]) == ("small", "unavailable")
    assert "refused" not in str(event.payload)

    breakers.close([health_of(deployment)])
    assert Event.objects.latest("id").type == "breaker.closed"


def test_of_a_shared_deployment_the_staff_hear_wherever_they_are_members() -> None:
    make_owner()
    staff = make_owner("member", is_staff=True)
    elsewhere = Membership.objects.create(
        user=staff.user, workspace=Workspace.objects.create(name="Another"), role="guest"
    )
    fail(make_deployment(), 3)
    told = {event.workspace_id: event.audience for event in Event.objects.all()}
    assert told == {staff.workspace_id: [staff.user_id], elsewhere.workspace_id: [staff.user_id]}


def test_closing_it_by_hand_lets_everybody_in(deployment: Deployment) -> None:
    health = fail(deployment, 3)
    assert breakers.close([health]) == 1
    assert breakers.close([health]) == 0
    assert not breakers.is_open(fail(deployment, 2))
