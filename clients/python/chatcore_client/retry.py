"""How often and how long a request that failed is tried again."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """`times` further tries, the first after about `base` seconds, each later one after twice as long.

    The pauses are random, so that many clients do not come back at once, and never longer than `longest`: a server
    that asks for more (Retry-After) is not waited for. Iterators over events go on for `patience` seconds without
    a connection, by default for ever.
    """

    times: int = 5
    base: float = 0.5
    longest: float = 30.0
    patience: float = math.inf

    def pause(
        self, failures: int, retry_after: float | None = None, base: float | None = None
    ) -> float | None:
        """Seconds until the next try after so many failures in a row (1 or more); None: give up."""
        if retry_after is not None and retry_after > self.longest:
            return None
        ceiling = min(self.longest, (self.base if base is None else base) * 2.0 ** min(failures - 1, 30))
        return (retry_after or 0.0) + random.uniform(0, ceiling)  # noqa: S311 (no secret)
