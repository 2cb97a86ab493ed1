"""Comparisons at the doors of the API: asking several models, choosing, and the list of what was preferred."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from chatcore.accounts.principals import Principal
from conversations import actions
from conversations.models import Comparison
from tests.api import key_client, of, problem_of, send, session_client, start
from tests.conversations.test_comparisons import compare
from tests.factories import make_comparison, make_conversation, make_model, make_principal

pytestmark = pytest.mark.django_db
COMPARISONS = "/api/v1/comparisons/"


@pytest.fixture
def owner() -> Principal:
    for name in ("swift", "deep", "wide"):
        make_model(name)
    return make_principal()


def test_the_command_and_the_resource_answer_with_every_reply(owner: Principal) -> None:
    http = key_client(owner)
    conversation = start(http)
    body = {"content": "Which one?", "models": ["swift", "deep"]}

    for place, status in (("replies", 202), ("messages/", 201)):
        answer = send(http, "POST", of(conversation, place), body)

        assert answer.status_code == status, answer.content
        replies = answer.json()["replies"]
        assert [reply["model"] for reply in replies] == ["swift", "deep"]
        assert answer.json()["reply"] == replies[0]


def test_an_edit_asks_the_compared_models_again_or_those_that_are_named(owner: Principal) -> None:
    http = session_client(owner)
    _, posted = compare(owner)
    edit = f"/api/v1/messages/{posted.message.id}/edit"

    same = send(http, "POST", edit, {"content": "Which?"}).json()["replies"]
    named = send(http, "POST", edit, {"content": "Which?", "models": ["wide", "deep"]}).json()["replies"]
    both = send(http, "POST", edit, {"content": "Which?", "models": ["wide", "deep"], "model": "wide"})

    assert [reply["model"] for reply in same] == ["swift", "deep"]
    assert [reply["model"] for reply in named] == ["wide", "deep"]
    assert problem_of(both, 422)["errors"][0]["code"] == "contradiction"


@pytest.mark.parametrize("models", [["swift"], ["swift", "swift"], ["swift", "nowhere"]])
def test_the_doors_refuse_what_the_action_refuses(owner: Principal, models: list[str]) -> None:
    http = key_client(owner)
    conversation = start(http)

    problem = problem_of(
        send(http, "POST", of(conversation, "replies"), {"content": "Which?", "models": models}), 422
    )

    assert problem["errors"][0]["pointer"] == ("/models" if len(models) == 1 else "/models/1")


def test_a_choice_is_listed_with_what_was_asked_and_who_preferred_it(owner: Principal) -> None:
    http = session_client(owner)
    conversation, posted = compare(owner)
    compare(owner)  # nothing is chosen there

    chosen = send(http, "POST", f"/api/v1/replies/{posted.others[0].id}/choose")

    assert chosen.json()["id"] == str(posted.others[0].id)
    (row,) = http.get(COMPARISONS).json()["results"]
    assert row.pop("id")
    assert row.pop("chosen_at")
    assert row == {
        "conversation": str(conversation.id),
        "message": str(posted.message.id),
        "prompt": "Which one?",
        "models": ["swift", "deep"],
        "chosen": str(posted.others[0].id),
        "chosen_model": "deep",
        "chosen_by": owner.author,
    }


def chosen(owner: Principal, *models: str) -> Comparison:
    _, posted = compare(owner, *models)
    assert posted.reply
    return actions.choose_reply(owner, posted.reply.id)


def test_the_list_comes_in_pages_newest_first(owner: Principal) -> None:
    http = key_client(owner)
    made = [str(chosen(owner).id) for _ in range(3)]

    first = http.get(COMPARISONS, {"page_size": 2}).json()
    rest = http.get(first["next"]).json()

    assert [row["id"] for row in first["results"] + rest["results"]] == made[::-1]
    assert rest["next"] is None


def test_the_list_is_filtered_by_model_and_time(owner: Principal) -> None:
    http = key_client(owner)
    old, new = chosen(owner, "swift", "deep"), chosen(owner, "wide", "deep")
    Comparison.objects.filter(id=old.id).update(chosen_at=timezone.now() - timedelta(days=40))
    today = Comparison.objects.get(id=new.id).chosen_at.date().isoformat()

    def found(**filters: str) -> list[str]:
        return [row["id"] for row in http.get(COMPARISONS, filters).json()["results"]]

    assert found(model="wide") == [str(new.id)]
    assert found(model="deep") == [str(new.id), str(old.id)]
    assert found(model="odd") == []
    assert found(**{"from": today}) == [str(new.id)]
    assert found(to=today) == [str(new.id), str(old.id)]
    assert found(to=f"{today}T00:00:00Z") == [str(old.id)]
    for name, value in (("from", "yesterday"), ("to", "2026-13-01"), ("format", "xml")):
        assert problem_of(http.get(COMPARISONS, {name: value}), 422)["errors"][0]["pointer"] == f"/{name}"


def test_the_list_is_a_file_for_a_spreadsheet(owner: Principal) -> None:
    conversation = make_conversation(owner, "=1+1, and\nwhy?")
    assert conversation.active_leaf
    left, _ = make_comparison(conversation, conversation.active_leaf, "swift", "deep")
    actions.choose_reply(owner, left.id)

    answer = key_client(owner).get(COMPARISONS, {"format": "csv"})

    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode(), newline=""))
    assert (row["prompt"], row["models"], row["chosen_model"]) == ("'=1+1, and\nwhy?", "swift, deep", "swift")


def test_nobody_sees_what_others_preferred(owner: Principal) -> None:
    mine = chosen(owner)
    for other in (make_principal(workspace=owner.workspace), make_principal()):
        assert key_client(other).get(COMPARISONS).json()["results"] == []
        assert session_client(other).get(COMPARISONS).json()["results"] == []

    one = key_client(owner, f"messages:read:{mine.conversation_id}")
    chosen(owner)
    assert [row["id"] for row in one.get(COMPARISONS).json()["results"]] == [str(mine.id)]
