"""Django's middleware on the event loop does what it does elsewhere."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client

from chatcore.middleware import Session
from tests.factories import PASSWORD, make_principal, make_user

SEEN_IN_BOTH = ("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/models/", "/healthz"])
async def test_an_answer_bears_the_same_headers_as_in_a_thread(path: str) -> None:
    from asgiref.sync import sync_to_async

    loop, thread = await AsyncClient().get(path), await sync_to_async(Client().get)(path)
    assert loop.status_code == thread.status_code
    for name in SEEN_IN_BOTH:
        assert loop[name] == thread[name]


class Store(dict[str, Any]):
    """A session that tells whether it was saved."""

    modified = accessed = True
    session_key = "key"
    saves = 0

    def is_empty(self) -> bool:
        return False

    def get_expire_at_browser_close(self) -> bool:
        return True

    def save(self) -> None:
        self.saves += 1


async def test_a_changed_session_is_saved_and_an_unchanged_one_is_not() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        request.session = store  # type: ignore[assignment]
        return HttpResponse("fine")

    for modified in (True, False):
        store = Store()
        store.modified = modified
        answer = await Session(view)(HttpRequest())  # type: ignore[arg-type, misc]
        assert store.saves == modified
        assert ("sessionid" in answer.cookies) is modified


@pytest.mark.django_db(transaction=True)
async def test_a_form_without_its_token_is_refused_and_with_it_signs_in() -> None:
    from asgiref.sync import sync_to_async

    user = await sync_to_async(make_user)(password=PASSWORD)
    await sync_to_async(make_principal)(user)
    client = AsyncClient(enforce_csrf_checks=True)
    form = {"login": user.email, "password": PASSWORD}
    assert (await client.post("/accounts/login/", form)).status_code == 403
    await client.get("/accounts/login/")
    token = client.cookies["csrftoken"].value
    signed_in = await client.post("/accounts/login/", form | {"csrfmiddlewaretoken": token})
    assert signed_in.status_code == 302
    assert client.cookies["sessionid"].value
