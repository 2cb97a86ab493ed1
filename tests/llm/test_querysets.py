import pytest

from chatcore.accounts.models import Workspace
from chatcore.accounts.principals import Principal
from chatcore.llm.models import Deployment, Model
from tests.llm.factories import make_deployment, make_model, make_principal, make_provider, make_reachable

pytestmark = pytest.mark.django_db


def names(principal: Principal) -> set[str]:
    return set(Model.objects.for_principal(principal).values_list("name", flat=True))


@pytest.fixture
def ours() -> Workspace:
    return Workspace.objects.create(name="Ours")


def test_shared_models_and_those_of_the_own_workspace_are_seen(ours: Workspace) -> None:
    theirs = Workspace.objects.create(name="Theirs")
    make_reachable("shared")
    make_reachable("our-own", workspace=ours)
    make_reachable("their-own", workspace=theirs)
    assert names(make_principal(ours)) == {"shared", "our-own"}


def test_a_model_that_nothing_can_answer_for_is_not_seen() -> None:
    make_reachable("reachable")
    make_reachable("disabled", enabled=False)
    make_model("without-deployment")
    make_deployment(make_model("deployment-disabled"), enabled=False)
    make_deployment(make_model("provider-disabled"), make_provider(enabled=False))
    assert names(make_principal()) == {"reachable"}


def test_a_deployment_across_workspaces_does_not_count(ours: Workspace) -> None:
    theirs = Workspace.objects.create(name="Theirs")
    make_deployment(make_model("ours", workspace=ours), make_provider(workspace=theirs))
    make_deployment(make_model("shared"), make_provider(workspace=theirs))
    assert names(make_principal(ours)) == set()
    assert not Deployment.objects.usable()


def test_a_model_may_be_meant_for_some_roles() -> None:
    make_reachable("for-all")
    make_reachable("for-admins", visible_to=["owner", "admin"])
    assert names(make_principal(role="member")) == {"for-all"}
    assert names(make_principal(role="admin")) == {"for-all", "for-admins"}


@pytest.mark.parametrize(
    ("grants", "seen"),
    [
        (("models:use",), {"gpt-5", "gpt-5.4-mini", "claude.opus", "gptx5"}),
        (("models:use:gpt-*",), {"gpt-5", "gpt-5.4-mini"}),
        (("models:use:gpt-5",), {"gpt-5"}),
        (("models:use:gpt.5",), set()),
        (("models:use:gpt-5", "models:use:*opus"), {"gpt-5", "claude.opus"}),
        (("models:read",), {"gpt-5", "gpt-5.4-mini", "claude.opus", "gptx5"}),
        (("models:read:claude.*",), {"claude.opus"}),
        (("messages:write",), set()),
    ],
)
def test_a_key_sees_the_models_it_was_given(grants: tuple[str, ...], seen: set[str]) -> None:
    for name in ("gpt-5", "gpt-5.4-mini", "claude.opus", "gptx5"):
        make_reachable(name)
    assert names(make_principal(grants=grants)) == seen


def test_a_workspaces_model_hides_the_shared_one_of_its_name(ours: Workspace) -> None:
    shared, own = make_reachable("same"), make_reachable("same", workspace=ours)
    principal, stranger = make_principal(ours), make_principal()
    assert Model.objects.for_principal(principal).named("same") == own
    assert Model.objects.for_principal(stranger).named("same") == shared
    assert Model.objects.for_principal(stranger).named("other") is None


def test_the_default_is_the_workspaces_then_the_shared_one_then_any_but_the_demo(ours: Workspace) -> None:
    principal = make_principal(ours)
    demo = make_reachable("demo")
    assert Model.objects.default_for(principal) == demo
    real = make_deployment(make_model("real"), make_provider("openai")).model
    assert Model.objects.default_for(principal) == real
    shared = make_reachable("shared-default", is_default=True)
    assert Model.objects.default_for(principal) == shared
    own = make_reachable("own-default", is_default=True, workspace=ours)
    assert Model.objects.default_for(principal) == own
    assert Model.objects.default_for(make_principal()) == shared


def test_a_default_that_cannot_answer_is_none(ours: Workspace) -> None:
    make_model("unreachable", is_default=True)
    assert Model.objects.default_for(make_principal(ours)) is None
