"""What a call of a model is expected to cost, before it is known which deployment answers."""

from django.db.models import QuerySet

from chatcore.llm.models import Deployment, Model
from chatcore.llm.prices import Price, read_prices
from chatcore.llm.sharing import price_of_deployment


def price_of_model(model: Model) -> Price | None:
    """What the deployment asked first costs. None: unknown."""
    usable = Deployment.objects.usable().defer("provider__credential")
    first = usable.filter(model=model).order_by("priority", "pk").first()
    return price_of_deployment(first) if first else read_prices(model.prices)


def priced(models: QuerySet[Model]) -> list[tuple[Model, Price | None]]:
    """Those of the models that can be asked, each with what it is expected to cost."""
    usable = Deployment.objects.usable().defer("provider__credential").filter(model__in=models)
    firsts = usable.order_by("model_id", "priority", "pk").distinct("model_id")
    return [(each.model, price_of_deployment(each)) for each in firsts]
