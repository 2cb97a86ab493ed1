"""What an integration is held to, for the messages it brings: threads, metadata, and what a batch costs."""

import json
from typing import Any

import pytest
from django.test import Client

from chatcore.accounts import keys
from chatcore.accounts.constraints import ConstraintViolated
from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.models import Message
from external.intake import IntakeItem, Respond, accept_one
from tests.factories import make_key_principal, make_principal

pytestmark = pytest.mark.django_db
NOBODY = Respond(kind="none")


def held(**constraints: Any) -> Principal:
    principal = make_key_principal(make_principal(), "*:*")
    assert principal.integration
    principal.integration.constraints = constraints
    principal.integration.save()
    return principal


def test_messages_go_to_the_threads_it_may_write_to_and_start_no_others() -> None:
    principal = held(threads=["db-*"])
    accepted = accept_one(principal, IntakeItem(content="Full", thread="db-3", respond=NOBODY))
    accept_one(principal, IntakeItem(content="Fuller", thread="db-3", respond=NOBODY))
    for thread in ("web-1", None):
        with pytest.raises(ConstraintViolated):
            accept_one(principal, IntakeItem(content="Down", thread=thread, respond=NOBODY))
    assert Message.objects.count() == 2

    actions.post_message(principal, accepted.conversation_id, text="Known by its thread", respond=False)
    named = IntakeItem(content="By its id", conversation=accepted.conversation_id, respond=NOBODY)
    accept_one(principal, named)


def test_messages_carry_the_metadata_it_must_give() -> None:
    principal = held(metadata_schema={"type": "object", "required": ["source"]})
    accept_one(principal, IntakeItem(content="Full", metadata={"source": "prometheus"}, respond=NOBODY))
    with pytest.raises(ConstraintViolated) as refused:
        accept_one(principal, IntakeItem(content="Full", respond=NOBODY))
    assert refused.value.errors[0].pointer == "/metadata"
    assert Message.objects.count() == 1


@pytest.mark.usefixtures("standing_clock")
def test_each_item_of_a_batch_is_a_request_and_too_many_are_refused_before_any_is_stored() -> None:
    principal = held(requests_per_minute=5)
    assert principal.integration
    client = Client(headers={"X-API-Key": keys.mint(principal.integration)[1]})

    def post(count: int) -> Any:
        items = [{"content": f"Number {number}", "respond": "none"} for number in range(count)]
        body = json.dumps({"items": items})
        return client.post("/api/v1/intake/batches", body, content_type="application/json")

    assert post(3).status_code == 200
    refused = post(3)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused["Retry-After"]) >= 1
    assert Message.objects.count() == 3
