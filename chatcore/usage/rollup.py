"""The ledger of days that are over, summed up by day, asker and model."""

from datetime import date, timedelta

from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils import timezone

from chatcore.usage import periods
from chatcore.usage.models import Usage, UsageDay

AGAIN_DAYS = 2  # summed up once more: a call that ended at midnight may have been committed after it
LOCK = 0x75736167  # "usag": two at a time would insert the same day


@transaction.atomic
def rollup(today: date | None = None) -> int:
    """Sum up every day before `today` (UTC) that is not yet, and the last ones once more; returns the rows written.

    Deletes and inserts in one transaction: doing it again changes nothing.
    """
    today = today or periods.start_of("day", timezone.now())
    with connection.cursor() as sql:
        sql.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        first = _first_day()
        if first is None:
            return 0
        UsageDay.objects.filter(day__gte=first, day__lt=today).delete()
        sql.execute(_SUM_UP, {"begin": periods.midnight(first), "end": periods.midnight(today)})
        written: int = sql.rowcount
    return written


def _first_day() -> date | None:
    done: date | None = UsageDay.objects.aggregate(day=Max("day"))["day"]
    if done is not None:
        return done - timedelta(days=AGAIN_DAYS - 1)
    oldest = Usage.objects.aggregate(at=Min("created_at"))["at"]
    return periods.start_of("day", oldest) if oldest else None


_SUM_UP = """
insert into usage_usageday (
    day, workspace_id, user_id, integration_id, model_id, model_name, currency, calls, failures,
    input_tokens, output_tokens, cached_tokens, cache_write_tokens, unknown_token_calls, cost, unknown_cost_calls
)
select (created_at at time zone 'UTC')::date, workspace_id, user_id, integration_id, model_id, model_name, currency,
    count(*), count(*) filter (where outcome = 'failed'),
    coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cached_tokens), 0),
    coalesce(sum(cache_write_tokens), 0),
    count(*) filter (where input_tokens is null or output_tokens is null),
    coalesce(sum(cost), 0), count(*) filter (where cost is null)
from usage_usage
where created_at >= %(begin)s and created_at < %(end)s
group by 1, 2, 3, 4, 5, 6, 7
"""
