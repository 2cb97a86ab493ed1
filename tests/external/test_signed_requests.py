"""Requests signed with a shared secret, who is let in at all, and every forgery we know of."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from chatcore.accounts.models import Integration, Membership
from external.authenticators.identifying import identify
from external.models import Authenticator, UsedProof
from tests.accounts.factories import make_key_text, make_member, make_workspace
from tests.api import make_client, problem_of
from tests.external.proving import (
    DRF,
    NINJA,
    OTHER_SECRET,
    ask,
    make_authenticator,
    make_integration,
    probed,
    signed,
)

pytestmark = pytest.mark.django_db


@probed
@pytest.mark.parametrize("door", [DRF, NINJA])
def test_a_signed_request_is_the_integration_s(door: str) -> None:
    authenticator = make_authenticator()
    integration = authenticator.integration
    answer = ask(authenticator, door=door, **signed())
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "user": integration.acts_as.email,
        "workspace": str(integration.workspace_id),
        "credential": "proof",
    }
    authenticator.refresh_from_db()
    assert authenticator.last_used_at is not None


FORGED: dict[str, Callable[[], dict[str, str]]] = {
    "without a signature": lambda: {**signed(), "webhook_signature": ""},
    "of another body": lambda: signed(b'{"a": 1}'),
    "with another secret": lambda: signed(secret=OTHER_SECRET),
    "too late": lambda: signed(at=-310),
    "too early": lambda: signed(at=310),
    "with another time": lambda: {**signed(), "webhook_timestamp": str(int(time.time()) + 1)},
    "with another id": lambda: {**signed(), "webhook_id": "msg_other"},
    "with a point in its id": lambda: signed(name="msg.1"),
    "without an id": lambda: {**signed(), "webhook_id": ""},
    "at no time": lambda: {**signed(), "webhook_timestamp": "²"},
    "at an endless time": lambda: {**signed(), "webhook_timestamp": "9" * 400},
    "by another method": lambda: {
        **signed(),
        "webhook_signature": signed()["webhook_signature"].replace("v1,", "v2,"),
    },
    "with many signatures": lambda: {
        **signed(),
        "webhook_signature": "v1,x " * 1000 + signed()["webhook_signature"],
    },
    "with strange letters": lambda: {**signed(), "webhook_signature": "v1,ü"},
    "beside a token": lambda: {**signed(), "authorization": "Bearer x.y.z"},
    "beside a key": lambda: {**signed(), "x_api_key": make_key_text()},
    "with nothing": dict,
}


@probed
def test_a_request_that_is_not_so_signed_is_nobody_s() -> None:
    authenticator = make_authenticator()
    statuses = {kind: ask(authenticator, **forge()).status_code for kind, forge in FORGED.items()}
    assert statuses == dict.fromkeys(FORGED, 401)
    assert not UsedProof.objects.exists()  # or a forger could use up the ids of others


@probed
def test_of_several_signatures_one_must_hold() -> None:
    headers = signed()
    headers["webhook_signature"] = f"v1,AAAA v1a,x {headers['webhook_signature']}"
    assert ask(make_authenticator(), **headers).status_code == 200


@probed
def test_a_request_is_good_once_for_its_authenticator() -> None:
    authenticator, other = make_authenticator(), make_authenticator()
    headers = signed()
    assert ask(authenticator, **headers).status_code == 200
    problem_of(ask(authenticator, **headers), 401)
    problem_of(ask(authenticator, door=NINJA, **headers), 401)
    assert ask(other, **headers).status_code == 200  # the same secret, but another's ids


@probed
def test_what_is_remembered_of_requests_is_forgotten_in_time() -> None:
    authenticator = make_authenticator()
    ask(authenticator, **signed())
    UsedProof.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    ask(authenticator, **signed())
    assert UsedProof.objects.count() == 1


# --- Who is let in at all ------------------------------------------------------------------------------------------


def _disable(integration: Integration) -> None:
    Integration.objects.filter(pk=integration.pk).update(enabled=False)


def _suspend(integration: Integration) -> None:
    assert integration.acts_as
    integration.acts_as.is_active = False
    integration.acts_as.save()


def _leave(integration: Integration) -> None:
    Membership.objects.filter(user=integration.acts_as).delete()


@probed
@pytest.mark.parametrize("end", [_disable, _suspend, _leave])
def test_nobody_comes_in_for_an_integration_or_a_user_that_is_out(end: Callable[[Integration], None]) -> None:
    authenticator = make_authenticator()
    assert ask(authenticator, **signed()).status_code == 200
    end(authenticator.integration)
    problem_of(ask(authenticator, **signed()), 401)


@probed
def test_a_disabled_an_unreadable_and_an_unknown_authenticator_are_refused_alike() -> None:
    good, disabled = make_authenticator(), make_authenticator(enabled=False)
    broken, strange = make_authenticator(secret="x"), make_authenticator("nothing")
    absent = Authenticator(pk=uuid.uuid4())
    answers = [problem_of(ask(each, **signed()), 401) for each in (disabled, broken, strange, absent)]
    answers.append(problem_of(make_client().get(DRF, headers={"X-Authenticator": "\x00"}), 401))
    assert len({json.dumps(answer | {"instance": ""}) for answer in answers}) == 1
    problem_of(ask(good, **signed(), x_workspace=str(make_workspace().pk)), 404)
    assert ask(good, **signed(), x_workspace=str(good.integration.workspace_id)).status_code == 200


def test_the_right_is_what_integration_and_user_may_together() -> None:
    guest = make_member(role="guest")
    integration = make_integration(acts_as=guest, grants=("messages:write", "integrations:manage"))
    headers = {name.replace("_", "-"): value for name, value in signed().items()}
    principal = identify(
        {"x-authenticator": str(make_authenticator(integration=integration).pk), **headers}, b"{}"
    )
    assert principal is not None
    assert principal.may("messages:write")
    assert not principal.may("messages:read")  # not granted
    assert not principal.may("integrations:manage")  # not a guest's


def test_an_integration_that_acts_for_nobody_may_what_it_is_granted() -> None:
    integration = make_integration(make_workspace(), grants=("messages:write",))
    headers = {name.replace("_", "-"): value for name, value in signed().items()}
    principal = identify(
        {"x-authenticator": str(make_authenticator(integration=integration).pk), **headers}, b"{}"
    )
    assert principal is not None
    assert (principal.user, principal.may("messages:write"), principal.may("messages:read")) == (
        None,
        True,
        False,
    )
