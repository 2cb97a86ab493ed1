from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from chatcore.accounts.models import Workspace
from chatcore.llm.actions import add_models, make_default
from chatcore.llm.catalogue import KnownModel
from chatcore.llm.models import Deployment, Fallback, Model, Provider
from tests.llm.factories import make_deployment, make_model, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.objects.create(name="Ours")


def refuses(make: Any, *args: Any, **fields: Any) -> bool:
    try:
        with transaction.atomic():
            make(*args, **fields)
    except IntegrityError:
        return True
    return False


def test_a_name_is_unique_among_the_shared_and_within_a_workspace(workspace: Workspace) -> None:
    for make in (make_model, make_provider):
        make(name="one")
        make(name="one", workspace=workspace)
        assert refuses(make, name="one")
        assert refuses(make, name="one", workspace=workspace)


def test_there_is_one_default_among_the_shared_and_one_in_each_workspace(workspace: Workspace) -> None:
    make_model(is_default=True)
    make_model(is_default=True, workspace=workspace)
    assert refuses(make_model, is_default=True)
    assert refuses(make_model, is_default=True, workspace=workspace)


def test_the_default_moves(workspace: Workspace) -> None:
    before, after = make_model(is_default=True), make_model()
    elsewhere = make_model(is_default=True, workspace=workspace)
    make_default(after)
    assert set(Model.objects.filter(is_default=True)) == {after, elsewhere}
    assert before not in Model.objects.filter(is_default=True)


def test_a_weight_is_positive() -> None:
    assert refuses(make_deployment, weight=0)


def test_the_same_way_to_a_model_exists_once() -> None:
    first = make_deployment()
    assert refuses(make_deployment, first.model, first.provider)


def test_no_model_falls_back_on_itself() -> None:
    model = make_model()
    assert refuses(Fallback.objects.create, model=model, to=model)


def test_fallbacks_keep_their_order() -> None:
    model, second, first = make_model(), make_model(), make_model()
    Fallback.objects.create(model=model, to=second, position=2)
    Fallback.objects.create(model=model, to=first, position=1)
    assert [link.to for link in model.fallback_links.all()] == [first, second]
    assert set(model.fallbacks.all()) == {first, second}


def test_a_fallback_is_shared_or_of_the_models_own_workspace(workspace: Workspace) -> None:
    elsewhere = Workspace.objects.create(name="Theirs")
    shared, ours, theirs = (make_model(workspace=each) for each in (None, workspace, elsewhere))
    allowed = [(shared, make_model()), (ours, shared), (ours, make_model(workspace=workspace))]
    for model, to in allowed:
        Fallback(model=model, to=to).clean()
    for model, to in [(shared, ours), (ours, theirs)]:
        with pytest.raises(ValidationError, match="another workspace"):
            Fallback(model=model, to=to).clean()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "demo"}, None),
        ({"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "options": {"include_usage": False}}, None),
        ({"kind": "no_such_kind"}, "kind"),
        ({"kind": "openai", "base_url": "file:///etc/passwd"}, "base_url"),
        ({"kind": "openai", "base_url": "https://user:password@host/v1"}, "base_url"),
        ({"kind": "openai", "base_url": "https://host/v1?key=x"}, "base_url"),
        ({"kind": "openai", "options": {"includ_usage": False}}, "options"),
        ({"kind": "openai", "options": ["x"]}, "options"),
    ],
)
def test_a_provider_says_what_is_wrong_with_it(fields: dict[str, Any], wrong: str | None) -> None:
    provider = Provider(name="x", **fields)
    if wrong is None:
        provider.full_clean()
        return
    with pytest.raises(ValidationError) as caught:
        provider.full_clean()
    assert list(caught.value.message_dict) == [wrong]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prices": {"input": 1.25}}, "output is missing"),
        ({"prices": {"cached": 1}}, "input and output is missing"),
        ({"prices": [1]}, "Prices are an object"),
        ({"prices": {"input": "free", "output": 1}}, "input must be a number"),
        ({"prices": {"input": True, "output": 1}}, "input must be a number"),
        ({"prices": {"input": 1, "output": -1}}, "output must be a number"),
        ({"prices": {"input": 1, "output": 1, "currency": "dollars"}}, "three letters"),
        ({"prices": {"input": 1, "output": 1, "chached": 1}}, "Not a price: chached"),
        ({"prices": {"input": 1, "output": 1, "above": [{"input": 2}]}}, "needs its own tokens"),
        (
            {"prices": {"input": 1, "output": 1, "above": [{"tokens": 5, "in": 2}]}},
            "Not a price in above: in",
        ),
        ({"default_params": {"temperature": "hot"}}, "temperature "),
        ({"default_params": {"stop": [1]}}, "stop/0 "),
        ({"default_params": [1]}, "Parameters are an object"),
    ],
)
def test_a_model_says_what_is_wrong_with_its_prices_and_parameters(
    fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Model(name="x", label="X", **fields).full_clean()
    ((name, said),) = caught.value.message_dict.items()
    assert name in fields
    assert words in " ".join(said)


@pytest.mark.parametrize(
    "prices",
    [
        None,
        {"input": "1.25", "output": 10, "cached": None},
        {"currency": "eur", "input": 1, "output": 2, "above": [{"tokens": 200_000, "input": 2}]},
    ],
)
def test_prices_that_can_be_read_are_kept_as_they_were_written(prices: Any) -> None:
    model = Model(name="x", label="X", prices=prices, default_params={"temperature": 1, "of_its_own": 2})
    model.full_clean()
    assert model.prices == prices


def test_no_prices_at_all_are_none() -> None:
    model = Model(name="x", label="X", prices={})
    model.full_clean()
    assert model.prices is None


def test_a_deployments_prices_are_in_its_models_currency() -> None:
    model = make_model(prices={"currency": "EUR", "input": 1, "output": 2})
    fields: dict[str, Any] = {"model": model, "provider": make_provider(), "upstream_name": "x"}
    Deployment(**fields, prices={"currency": "EUR", "input": 3, "output": 4}).full_clean()
    for wrong, words in (
        ({"input": 3, "output": 4}, "must be the model's: EUR"),
        ({"input": 3}, "output is missing"),
    ):
        with pytest.raises(ValidationError, match=words):
            Deployment(**fields, prices=wrong).full_clean()


def test_a_deployment_stays_within_its_workspace(workspace: Workspace) -> None:
    ours = make_provider(workspace=workspace)
    Deployment(model=make_model(workspace=workspace), provider=ours, upstream_name="x").full_clean()
    with pytest.raises(ValidationError, match="another workspace"):
        Deployment(model=make_model(), provider=ours, upstream_name="x").full_clean()


def test_adding_models_again_changes_nothing() -> None:
    provider = make_provider()
    known = [KnownModel("one", "One", 1000, 100, "tools json", "vendor/one"), KnownModel("two", "Two")]
    (one, two) = add_models(provider, known)
    one.label = "Renamed by a person"
    one.save()
    assert add_models(provider, known) == [one, two]
    one.refresh_from_db()
    assert one.label == "Renamed by a person"
    assert one.supports == {"vision": False, "tools": True, "reasoning": False, "json": True}
    assert [each.upstream_name for each in one.deployments.all()] == ["vendor/one"]


def test_a_model_that_two_providers_have_gets_two_deployments() -> None:
    known = [KnownModel("one", "One")]
    for provider in (make_provider(), make_provider()):
        add_models(provider, known)
    assert Model.objects.get(name="one").deployments.count() == 2
