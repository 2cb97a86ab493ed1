"""What the composer says of the files it takes."""

from dataclasses import dataclass

from django.conf import settings

# What a file dialog offers first. Texts have endings that no table knows: they are taken all the same.
OFFERED = {"image/*": "image/png,image/jpeg,image/gif,image/webp", "text/*": "text/*,.md,.csv,.log,.py,.yaml"}


@dataclass(frozen=True)
class FileLimits:
    """How many files of how many bytes each; `accept` is for the file dialog."""

    most: int
    most_bytes: int
    accept: str


def file_limits() -> FileLimits:
    offered = ",".join(OFFERED.get(allowed, allowed) for allowed in settings.ATTACHMENT_TYPES)
    return FileLimits(settings.ATTACHMENTS_PER_MESSAGE, settings.ATTACHMENT_MAX_BYTES, offered)
