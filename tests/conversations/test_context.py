"""What a model is given to read."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chatcore.accounts.grants import EVERYTHING
from conversations import actions
from conversations.claims import claim_replies
from conversations.context import read_context
from tests.factories import make_conversation, make_key_principal, make_model, make_principal

pytestmark = pytest.mark.django_db


def queries_for_a_branch_of(messages: int) -> int:
    owner = make_principal()
    monitoring = make_key_principal(owner, EVERYTHING)
    make_model()
    conversation = make_conversation(monitoring, *(f"Alert {number}" for number in range(messages)))
    actions.post_message(owner, conversation.id, text="What happened?")
    (claim,) = claim_replies(1)
    with CaptureQueriesContext(connection) as queries:
        request = read_context(claim).request()
    assert len(request.turns) == messages + 1
    assert request.turns[0].text.endswith("]\nAlert 0")
    return len(queries)


def test_a_longer_branch_takes_no_more_queries() -> None:
    assert queries_for_a_branch_of(20) == queries_for_a_branch_of(1)
