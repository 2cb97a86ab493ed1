"""Process trees: what a process and everything it has started use of memory and processor time."""

import psutil  # type: ignore[import-untyped]

MEGABYTE = 1_000_000


def members(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def memory(pid: int) -> float:
    """Megabytes: proportional set size (pages that several processes share count once) where the system tells it,
    else resident set size."""
    total = 0
    for process in members(pid):
        full = process.memory_full_info()
        total += getattr(full, "pss", full.rss)
    return total / MEGABYTE


def processor_seconds(pid: int) -> float:
    """User and system time of the living members, in steps of 10 ms for each."""
    return sum(sum(process.cpu_times()[:2]) for process in members(pid))
