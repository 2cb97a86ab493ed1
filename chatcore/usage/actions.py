"""Writes to the ledger and to the budgets."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chatcore import rows
from chatcore.accounts.models import Integration, User
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, NotFound
from chatcore.llm.attempts import ANSWERED, NOT_ASKED, STOPPED
from chatcore.llm.models import Model
from chatcore.llm.types import Usage as Counts
from chatcore.problems import invalid, pointer_to
from chatcore.usage import spending
from chatcore.usage.errors import SetByStaff
from chatcore.usage.models import Budget, Usage
from chatcore.usage.surroundings import Centre, Surroundings, look_around

UNKNOWN = Counts()
MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a model that has ended.

    `model` is the one that was asked; `route` the deployments that were, as routing tells of them: the one that
    answered also says which model it was. `counts` are the provider's; what it did not count and `estimates` does
    is taken from there. `unknown_attempts` are those of workers that were lost.
    """

    workspace: uuid.UUID
    user: uuid.UUID | None
    integration: uuid.UUID | None = None
    agent_run: uuid.UUID | None = None
    conversation: uuid.UUID | None = None
    message: uuid.UUID | None = None
    attempt: int = 0
    purpose: str
    model: uuid.UUID | None
    model_name: str
    route: Sequence[Mapping[str, Any]] = ()
    counts: Counts | None = None
    estimates: Counts = UNKNOWN
    seconds: float | None = None
    outcome: str
    code: str = ""
    unknown_attempts: int = 0

    @property
    def was_made(self) -> bool:
        """Whether any deployment was asked, as far as the route tells."""
        return any(each["outcome"] not in NOT_ASKED for each in self.route)

    @property
    def failed_attempts(self) -> int:
        """Of those whose consumption nobody knows: the counts are of the one that answered, also if it broke off."""
        known = (self.answered or {}).get("deployment_id")
        return sum(
            each["outcome"] not in NOT_ASKED | {ANSWERED, STOPPED}
            and (known is None or each.get("deployment_id") != known)
            for each in self.route
        )

    @property
    def answered(self) -> Mapping[str, Any] | None:
        """The attempt that answered, if one did: the last such."""
        return next((each for each in reversed(self.route) if each["outcome"] == ANSWERED), None)


def record(*calls: Call, unmade: Iterable[uuid.UUID] = ()) -> list[Usage]:
    """Write calls into the ledger, in the transaction that saves what they made, and charge them to the budgets.

    Also gives back what was set aside for replies that were not made. Call it once in a transaction, and last.
    """
    with transaction.atomic(savepoint=False):
        around = look_around(map(_centre, calls)) if calls else []
        written = [_row(call, found) for call, found in zip(calls, around, strict=True)]
        ended = set(unmade)
        for row, found in zip(written, around, strict=True):
            if row.message and found.is_reserved:
                ended.add(row.message)
        if ended or any(found.is_budgeted for found in around):
            spending.settle(written, ended)
        else:
            rows.insert(written)
    return written


def _centre(call: Call) -> Centre:
    answered = call.answered or {}
    return Centre(
        workspace=call.workspace,
        user=call.user,
        integration=call.integration,
        model=_uuid(answered.get("model_id")) or call.model,
        deployment=_uuid(answered.get("deployment_id")),
        message=call.message,
    )


def _row(call: Call, around: Surroundings) -> Usage:
    answered = call.answered or {}
    counts, price = _counted(call), around.price
    return rows.new(
        Usage,
        workspace_id=call.workspace,
        **around.ids,
        agent_run=call.agent_run,
        conversation=call.conversation,
        message=call.message,
        attempt=call.attempt,
        purpose=call.purpose,
        model_name=answered.get("model") or call.model_name,
        deployment_name=answered.get("deployment", "")[:320],
        **asdict(counts),
        prices=price.snapshot() if price else None,
        cost=price.cost(counts) if price else None,
        currency=price.currency if price else "",
        first_token_ms=_milliseconds(answered.get("seconds")),
        total_ms=_milliseconds(call.seconds),
        outcome=call.outcome,
        code=call.code[:40],
        unknown_attempts=call.unknown_attempts + call.failed_attempts,
        created_at=timezone.now(),
    )


def _counted(call: Call) -> Counts:
    """What the provider counted; for an answer it did not count, our estimate, also if it broke off or was stopped.
    Where nothing was answered, nobody knows.
    """
    counts = _believable(call.counts or UNKNOWN)
    if call.answered is None:
        return counts
    if counts.input_tokens is not None and counts.output_tokens is not None:
        return counts
    guessed = call.estimates
    return replace(
        counts,
        input_tokens=guessed.input_tokens if counts.input_tokens is None else counts.input_tokens,
        output_tokens=guessed.output_tokens if counts.output_tokens is None else counts.output_tokens,
        estimated=True,
    )


def _believable(counts: Counts) -> Counts:
    """A count that no column holds is none."""
    names = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    absurd: dict[str, Any] = {
        name: None for name in names if not 0 <= (getattr(counts, name) or 0) <= MOST_TOKENS
    }
    return replace(counts, **absurd)


def _uuid(text: str | None) -> uuid.UUID | None:
    return uuid.UUID(text) if text else None


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


@transaction.atomic
def add_budget(principal: Principal, **fields: Any) -> Budget:
    """A new budget of the principal's workspace. What was used in its period already counts."""
    principal.require("budgets:write")
    return save_budget(Budget(workspace=principal.workspace, **fields))


@transaction.atomic
def change_budget(principal: Principal, budget_id: uuid.UUID, **changes: Any) -> Budget:
    budget = _find_budget(principal, budget_id)
    for name, value in changes.items():
        setattr(budget, name, value)
    return save_budget(budget)


@transaction.atomic
def remove_budget(principal: Principal, budget_id: uuid.UUID) -> None:
    _find_budget(principal, budget_id).delete()


@transaction.atomic
def delete_budgets(budgets: Iterable[Budget]) -> None:
    """For good, once nobody reserves or settles under them: their rows are locked before their counters are."""
    chosen = [budget.pk for budget in budgets]
    locked = Budget.objects.select_for_update().filter(pk__in=chosen).order_by("pk")
    Budget.objects.filter(pk__in=[budget.pk for budget in locked]).delete()


@transaction.atomic
def save_budget(budget: Budget) -> Budget:
    """Check and store it. What it covers is counted anew where that changed. Raises Invalid."""
    try:
        budget.full_clean()
    except ValidationError as error:
        raise invalid(_problems(error)) from None
    before = Budget.objects.select_for_update().filter(pk=budget.pk).first()
    budget.save()
    if before is not None and any(getattr(before, name) != getattr(budget, name) for name in _COVERAGE):
        budget.spendings.all().delete()
    return budget


def _problems(error: ValidationError) -> Iterator[FieldProblem]:
    for name, found in error.message_dict.items():
        pointer = pointer_to() if name == NON_FIELD_ERRORS else pointer_to(name)
        yield from (FieldProblem(pointer, words) for words in found)


def find_named(principal: Principal, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a budget with the rows they name: a user and an integration by id, a model by its name."""
    workspace = principal.workspace
    lookups: dict[str, Callable[[Any], Any]] = {
        "user": lambda pk: User.objects.filter(memberships__workspace=workspace, pk=pk).first(),
        "integration": lambda pk: Integration.objects.filter(workspace=workspace, pk=pk).first(),
        "model": lambda name: Model.objects.filter(Q(workspace=None) | Q(workspace=workspace)).named(name),
    }
    found = dict(fields)
    for name in lookups.keys() & fields.keys():
        if fields[name] is None:
            continue
        found[name] = lookups[name](fields[name])
        if found[name] is None:
            raise invalid([FieldProblem(pointer_to(name), f"There is no such {name} here.", "unknown")])
    return found


_COVERAGE = ("user_id", "integration_id", "model_id", "unit", "period", "currency")


def _find_budget(principal: Principal, budget_id: uuid.UUID) -> Budget:
    """To be changed by the workspace's own people."""
    principal.require("budgets:write")
    found = (
        Budget.objects.for_principal(principal).select_for_update(of=("self",)).filter(pk=budget_id).first()
    )
    if found is None:
        raise NotFound
    if found.set_by_staff:
        raise SetByStaff
    return found
