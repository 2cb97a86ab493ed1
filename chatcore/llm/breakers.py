"""The circuit breaker of each deployment: one row that all workers share, and conditional updates that decide.

Nothing is written while all is well. A failure that says something of the deployment is counted under a lock of its
row; three in a row open the breaker, a refused account or a `Retry-After` at once. When its time is over, one request
of all workers may try (the probe). Its first token lets the others in again; the first answer that comes to its end
forgets what was, so a deployment that breaks off in mid-answer opens again at once, for twice as long.
"""

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import SYSTEM
from chatcore.llm import events
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment
from chatcore.llm.traffic import DeploymentHealth
from chatcore.realtime.catalogue import EventBody
from chatcore.realtime.log import Announcement, announce

THRESHOLD = 3
# What the asker made of the request says nothing of the deployment.
ASKERS_OWN = frozenset({"bad_request", "content_filter", "context_too_long", "empty"})
EARLY_SECONDS = 5.0  # between two probes while nobody else can answer
MAX_RETRY_AFTER = 3600.0
PROBE_MARGIN = 15.0
# Of an open breaker `h`, whose deployment is `d` at the provider `p`.
HALF_OPEN = "(h.open_until <= statement_timestamp() or greatest(d.updated_at, p.updated_at) > h.opened_at)"


def is_open(health: DeploymentHealth | None) -> bool:
    """Open or half-open: only a probe may ask."""
    return health is not None and health.open_until is not None


def health_now(deployment_id: uuid.UUID) -> DeploymentHealth | None:
    return DeploymentHealth.objects.filter(deployment=deployment_id).first()


@transaction.atomic
def note_failure(
    deployment_id: uuid.UUID, error: ProviderError, probe: uuid.UUID | None = None, *, seconds: float = 0.0
) -> None:
    """Count a failure of a request that began `seconds` ago; `probe` if it was that of the probe.

    Requests that were under way when the breaker opened change nothing, also where it has closed since: of what is
    new they say nothing.
    """
    DeploymentHealth.objects.bulk_create(
        [DeploymentHealth(deployment_id=deployment_id)], ignore_conflicts=True
    )
    rows = DeploymentHealth.objects.select_for_update(of=("self",)).annotate(now=Now())
    health = rows.get(deployment=deployment_id)
    was_open = is_open(health)
    began = health.now - timedelta(seconds=seconds)
    is_old = was_open or (health.opened_at is not None and began < health.opened_at)
    if health.probe != probe if probe else is_old:
        return
    health.failures += 1
    health.code, health.detail, health.failed_at = error.code, error.detail, health.now
    if probe or health.failures >= THRESHOLD or error.code == "auth" or error.retry_after:
        _open(health, error, health.now)
    health.save()
    if is_open(health) and not was_open:
        body = {"code": health.code, "failures": health.failures, "until": health.open_until}
        _announce(deployment_id, partial(events.BreakerOpened, **body))


def take_probe(deployment_id: uuid.UUID, *, early: bool = False) -> uuid.UUID | None:
    """Become the one request that tries a half-open breaker; None if it is not one's turn.

    A breaker is half-open when its time is over, or when its deployment or provider was changed since it opened.
    `early` is for a request that nobody else can answer. A probe whose worker died is over when it must have ended.
    """
    probe = uuid.uuid4()
    lease = settings.MODEL_CONNECT_TIMEOUT + settings.MODEL_FIRST_TOKEN_TIMEOUT + PROBE_MARGIN
    values: dict[str, Any] = {"id": deployment_id, "probe": probe, "lease": lease, "early": early}
    with connection.cursor() as sql:
        sql.execute(_TAKE_PROBE, values)
        return probe if sql.rowcount else None


def give_back_probe(deployment_id: uuid.UUID, probe: uuid.UUID) -> None:
    """It ended without a word about the deployment: the next one may try."""
    DeploymentHealth.objects.filter(deployment=deployment_id, probe=probe).update(
        probe=None, probing_until=None
    )


@transaction.atomic
def note_first_token(deployment_id: uuid.UUID, probe: uuid.UUID) -> None:
    """The probe is answered: everybody may ask again, on probation until an answer has come to its end."""
    closed = DeploymentHealth.objects.filter(deployment=deployment_id, probe=probe).update(**_CLOSED)
    if closed:
        _announce(deployment_id, events.BreakerClosed)


def note_success(deployment_id: uuid.UUID) -> None:
    """Forget the failures of a closed breaker."""
    troubled = Q(failures__gt=0) | Q(openings__gt=0)
    DeploymentHealth.objects.filter(troubled, deployment=deployment_id, open_until=None).update(
        failures=0, openings=0
    )


@transaction.atomic
def close(healths: Iterable[DeploymentHealth]) -> int:
    """Staff say that these deployments are well; returns how many breakers were open."""
    closed = 0
    for health in healths:
        row = DeploymentHealth.objects.filter(pk=health.pk)
        if row.filter(open_until__isnull=False).update(**_CLOSED):
            closed += 1
            _announce(health.pk, events.BreakerClosed)
        row.update(failures=0, openings=0)
    return closed


def state_of(health: DeploymentHealth) -> str:
    """In a word, for staff."""
    if health.open_until is None:
        return "closed"
    return "open" if health.open_until > timezone.now() else "half-open"


_CLOSED = {"open_until": None, "not_before": None, "probe": None, "probing_until": None}


def _open(health: DeploymentHealth, error: ProviderError, now: datetime) -> None:
    """For twice as long as the last time. A probe that came early leaves the time as it was."""
    retry_after = min(error.retry_after or 0.0, MAX_RETRY_AFTER)
    came_early = health.open_until is not None and health.open_until > now and not retry_after
    if not came_early:
        window = min(settings.MODEL_BREAKER_SECONDS * 2 ** min(health.openings, 30), _longest())
        health.open_until = now + timedelta(seconds=retry_after or window)
        health.openings += 1
    health.opened_at = now
    pause = EARLY_SECONDS if error.code != "auth" else _longest()
    health.not_before = now + timedelta(seconds=retry_after or pause)
    health.failures = max(health.failures, THRESHOLD - 1)
    health.probe = health.probing_until = None


def _longest() -> float:
    return max(settings.MODEL_BREAKER_LONGEST, settings.MODEL_BREAKER_SECONDS)


def _announce(deployment_id: uuid.UUID, make_body: Callable[..., EventBody]) -> None:
    found = Deployment.objects.select_related("model", "provider").defer("provider__credential")
    deployment = found.filter(pk=deployment_id).first()
    if deployment is None:
        return
    body = make_body(
        deployment=deployment.pk,
        label=str(deployment),
        model=deployment.model.name,
        provider=deployment.provider.name,
    )
    announce(
        *(
            Announcement(
                body=body, workspace=workspace, conversation=None, actor=SYSTEM, audience=tuple(users)
            )
            for workspace, users in _audiences(deployment.model.workspace_id).items()
        )
    )


def _audiences(workspace_id: uuid.UUID | None) -> dict[uuid.UUID, list[uuid.UUID]]:
    """By workspace, the users who hear of it. An event belongs to a workspace: staff hear of a shared deployment in
    each one that they are a member of.
    """
    members = Membership.objects.filter(user__is_active=True)
    if workspace_id is None:
        members = members.filter(user__is_staff=True)
    else:
        members = members.filter(
            workspace=workspace_id, role__in=[Membership.Role.OWNER, Membership.Role.ADMIN]
        )
    audiences: dict[uuid.UUID, list[uuid.UUID]] = {}
    for workspace, user in members.values_list("workspace_id", "user_id"):
        audiences.setdefault(workspace, []).append(user)
    return audiences


_TAKE_PROBE = f"""
update llm_deploymenthealth h
set probe = %(probe)s, probing_until = statement_timestamp() + make_interval(secs => %(lease)s)
from llm_deployment d join llm_provider p on p.id = d.provider_id
where h.deployment_id = %(id)s and d.id = h.deployment_id and h.open_until is not null
    and ({HALF_OPEN} or (%(early)s and h.not_before <= statement_timestamp()))
    and (h.probing_until is null or h.probing_until <= statement_timestamp())
"""  # noqa: S608
