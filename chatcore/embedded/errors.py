"""What can go wrong with the embedded Postgres, in words for the person at the terminal."""

from pathlib import Path


class EmbeddedError(Exception):
    """The embedded Postgres cannot be used."""


class AlreadyRunningError(EmbeddedError):
    """Another process runs the Postgres of this data folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"already running: {who} uses the data folder {folder}. "
            "Stop it first, or set CHATCORE_DATA to another folder."
        )


def unusable(path: Path, error: OSError) -> EmbeddedError:
    return EmbeddedError(
        f"{path} cannot be used: {error.strerror}. "
        "Free space, make it writable, or set CHATCORE_DATA to another folder."
    )
