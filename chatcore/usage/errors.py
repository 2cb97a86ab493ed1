"""What budgets refuse."""

import math
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone

from chatcore.errors import Forbidden, TooMany


class BudgetExceeded(TooMany):
    """A budget is spent. It starts anew at `resets_at`."""

    code: ClassVar[str] = "budget_exceeded"

    def __init__(self, detail: str = "", *, resets_at: datetime | None = None) -> None:
        left = math.ceil((resets_at - timezone.now()).total_seconds()) if resets_at else None
        super().__init__(detail, retry_after=max(left, 1) if left is not None else None)
        self.resets_at = resets_at

    def problem(self, instance: str = "") -> dict[str, Any]:
        """With `resets_at`, the time (RFC 3339) from which the same request may succeed."""
        body = super().problem(instance)
        return body | {"resets_at": self.resets_at.isoformat()} if self.resets_at else body


class PriceUnknown(Forbidden):
    """A strict budget covers this model, and its price is not known."""

    code: ClassVar[str] = "price_unknown"
    remedy: ClassVar[str] = (
        "Ask for another model, or let an owner or admin enter this one's price or relax the budget."
    )


class SetByStaff(Forbidden):
    """This budget was set by the staff of this server: only they change or remove it, in the admin."""

    code: ClassVar[str] = "set_by_staff"
    remedy: ClassVar[str] = (
        "Ask somebody on the staff of this server, or add a tighter one of your own beside it."
    )
