"""Problems on their way out: what is raised behind any door leaves it as one document, or as a page in words."""

import ast
import re
from collections.abc import Iterator

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import Throttled
from rest_framework.exceptions import ValidationError as RestInvalid
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chatcore import api, codes, errors
from chatcore.llm.errors import WORDS
from tests.api import make_client, problem_of
from tests.running import ROOT

APPS = ("chatcore", "conversations", "external", "agents")
RAISED: dict[str, tuple[Exception, int, str]] = {
    "http404": (Http404("secret"), 404, "not_found"),
    "denied": (PermissionDenied("secret"), 403, "forbidden"),
    "too-big": (RequestDataTooBig("secret"), 413, "too_large"),
    "away": (OperationalError("secret"), 503, "unavailable"),
    "broken": (InterfaceError("secret"), 503, "unavailable"),
    "pool": (PoolTimeout("secret"), 503, "unavailable"),
    "invalid": (ValidationError("must be blue"), 422, "invalid"),
    "unstorable": (DataError("secret"), 422, "invalid"),
    "no-letter": (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "secret"), 422, "invalid"),
    "ours": (errors.TooMany(retry_after=7), 429, "rate_limited"),
    "throttled": (Throttled(3), 429, "rate_limited"),
    "conflict": (errors.Conflict(), 409, "conflict"),
    "gone": (errors.Gone(), 410, "resync"),
    "defect": (KeyError("secret"), 500, "internal_error"),
}


def plain(request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name][0]


async def asynchronous(request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name][0]


class Resource(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, _: Request, name: str) -> Response:
        raise RAISED[name][0]


class Fields(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, _: Request) -> Response:
        raise RestInvalid(
            {"a/b": ["is wrong", "is old"], "inner": {"c": ["is wrong"]}, "non_field_errors": ["all"]}
        )


def somebody_elses(request: HttpRequest) -> HttpResponse:
    """An answer that no handler of ours made."""
    return HttpResponse("<h1>No</h1>", status=418, headers={"X-Kept": "yes"})


urlpatterns = [
    path("api/plain/<name>", plain),
    path("api/async/<name>", asynchronous),
    path("api/rest/<name>", Resource.as_view()),
    path("api/fields", Fields.as_view()),
    path("api/elsewhere", somebody_elses),
    path("page/<name>", plain),
]
handler400 = "chatcore.problems.bad_request"
handler403 = "chatcore.problems.forbidden"
handler404 = "chatcore.problems.not_found"
handler500 = "chatcore.problems.server_error"


@pytest.fixture
def raising() -> Iterator[Client]:
    """A client at doors that only raise; a defect is answered and not raised here."""
    with override_settings(ROOT_URLCONF=__name__):
        yield make_client(raise_request_exception=False)


@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("door", ["plain", "async", "rest"])
@pytest.mark.filterwarnings("ignore:.*:ResourceWarning")
def test_what_is_raised_behind_a_door_leaves_as_a_problem(raising: Client, door: str, name: str) -> None:
    _, status, code = RAISED[name]
    answer = raising.get(f"/api/{door}/{name}")
    problem = problem_of(answer, status)
    assert problem["code"] == code
    assert b"secret" not in answer.content
    assert answer.get("Retry-After") == {"ours": "7", "throttled": "3"}.get(
        name, "2" if status == 503 else None
    )


def test_the_fields_of_a_body_are_named_by_json_pointers(raising: Client) -> None:
    problem = problem_of(raising.get("/api/fields"), 422)
    assert [(one["pointer"], one["detail"]) for one in problem["errors"]] == [
        ("/a~1b", "is wrong"),
        ("/a~1b", "is old"),
        ("/inner/c", "is wrong"),
        ("", "all"),
    ]
    assert problem["detail"] == "a~1b: is wrong; a~1b: is old; inner/c: is wrong; body: all"


def test_an_answer_that_others_made_is_turned_in_place(raising: Client) -> None:
    answer = raising.get("/api/elsewhere")
    assert (answer.status_code, answer.json()["status"], answer["X-Kept"]) == (418, 418, "yes")
    assert answer["Content-Type"] == "application/problem+json"
    assert int(answer["Content-Length"]) == len(answer.content)


@pytest.mark.parametrize("name", ["http404", "denied", "away", "defect", "ours"])
def test_a_page_tells_it_in_words_and_htmx_gets_the_words_alone(raising: Client, db: None, name: str) -> None:
    _, status, _ = RAISED[name]
    page = raising.get(f"/page/{name}")
    part = raising.get(f"/page/{name}", headers={"HX-Request": "true"})
    assert (page.status_code, part.status_code) == (status, status)
    assert page["Content-Type"].startswith("text/html")
    assert b"<html" in page.content
    assert b"<html" not in part.content
    assert page["X-Request-Id"] != part["X-Request-Id"]
    assert b"secret" not in page.content + part.content


def test_who_cannot_read_a_page_gets_the_document_in_its_place(raising: Client) -> None:
    for accepted in ("application/json", "text/event-stream"):
        answer = raising.get("/page/ours", headers={"Accept": accepted})
        assert problem_of(answer, 429)["code"] == "rate_limited"
        assert answer["Retry-After"] == "7"
        assert "Accept" in answer["Vary"].split(", ")
    assert raising.get("/page/ours", headers={"Accept": "*/*"})["Content-Type"].startswith("text/html")


def test_two_requests_have_two_ids(db: None) -> None:
    client = make_client()
    ids = {client.get("/api/v1/nothing")["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3


def test_every_error_of_ours_has_a_section_that_says_what_to_do(db: None) -> None:
    page = make_client().get("/api/docs/errors").content.decode()
    for kind in errors.family():
        assert f'id="{kind.code}"' in page
        assert kind.status >= 400
        assert kind().title.endswith(".")
        assert kind.remedy.endswith(".")
    for code in WORDS:
        assert f'id="reply-{code}"' in page


def test_what_an_error_of_its_own_kind_advises_is_not_what_its_family_does() -> None:
    """Whoever is told to send it again shall not read that the same request is refused."""
    general = {kind.remedy for kind in (errors.ChatcoreError, errors.Forbidden, errors.Conflict)}
    own = [kind for kind in errors.family() if kind.__module__ != errors.__name__]
    assert {kind.code for kind in own if kind.remedy in general} == set()


def codes_in(source: str) -> Iterator[str]:
    """Those of the classes in it that are errors by their bases' names."""
    for found in ast.walk(ast.parse(source)):
        if isinstance(found, ast.ClassDef) and found.bases and found.name != "TextChoices":
            yield from re.findall(
                r"^    (?:status, )?code(?:: ClassVar\[str\])?(?:, \w+)* = (?:\d+, )?\"(\w+)\"",
                ast.get_source_segment(source, found) or "",
                re.MULTILINE,
            )


def test_every_code_that_is_written_anywhere_is_documented(db: None) -> None:
    """Found in the source, so that one whose module no door imports is missed too."""
    only_of_commands = {ROOT / "chatcore/accounts/bootstrap.py"}
    sources = {path for app in APPS for path in (ROOT / app).rglob("*.py")} - only_of_commands
    written = {code for path in sources for code in codes_in(path.read_text())}
    assert len(written) > 20
    assert written - {code.name for code in codes.problems()} == set()
    document = api.document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert written - set(document) == set()
