"""Days and months of budgets and totals. All of them begin at midnight UTC."""

from datetime import UTC, date, datetime, time, timedelta


def start_of(period: str, moment: datetime) -> date:
    """The first day of the `day` or `month` that holds the moment."""
    today = moment.astimezone(UTC).date()
    return today.replace(day=1) if period == "month" else today


def end_of(period: str, starts_on: date) -> date:
    """The first day after it."""
    if period == "day":
        return starts_on + timedelta(days=1)
    return (starts_on + timedelta(days=31)).replace(day=1)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
