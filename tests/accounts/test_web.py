import pytest

from chatcore.accounts.actions import open_workspace, switch_workspace
from chatcore.errors import NotFound
from tests.accounts.factories import make_key_text, make_member, make_user, make_workspace

pytestmark = pytest.mark.django_db


def test_a_page_knows_its_reader(client):
    user = make_member()
    client.force_login(user)
    assert client.get("/page/hello/").content.decode() == f"{user} hello"


def test_a_stranger_is_sent_to_sign_in_and_back(client):
    answer = client.get("/page/hello/?a=1")
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/page/hello/%3Fa%3D1"


def test_a_fragment_s_stranger_leaves_the_whole_page_to_sign_in(client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/c/1?x=2"}
    answer = client.get("/page/hello/", headers=headers)
    assert answer["HX-Redirect"] == "/accounts/login/?next=/c/1%3Fx%3D2"
    answer = client.get("/page/hello/", headers=headers | {"HX-Current-URL": "http://evil.example/"})
    assert answer["HX-Redirect"] == "/accounts/login/?next=/"


def test_a_key_does_not_open_pages(client):
    assert client.get("/page/hello/", headers={"X-API-Key": make_key_text()}).status_code == 302


def test_a_reader_without_a_workspace_is_told_so(client):
    client.force_login(make_user())
    answer = client.get("/page/hello/")
    assert answer.status_code == 403


def test_a_reader_chooses_among_their_own_workspaces(client):
    user = make_member()
    second, foreign = open_workspace(user, "Second"), make_workspace()
    client.force_login(user)
    assert client.post("/workspace/", {"workspace": str(second.pk)}).status_code == 302
    assert client.session["workspace"] == str(second.pk)
    assert client.get("/api/v1/drf/").json()["workspace"] == str(second.pk)
    for other in (str(foreign.pk), "nonsense", ""):
        assert client.post("/workspace/", {"workspace": other}).status_code == 404
    assert client.session["workspace"] == str(second.pk)
    assert client.get("/workspace/").status_code == 405


def test_switching_to_a_foreign_workspace_is_refused_below_the_page_too():
    with pytest.raises(NotFound):
        switch_workspace({}, make_member(), str(make_workspace().pk))
