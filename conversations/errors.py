"""What can be wrong with a wish about conversations."""

from typing import ClassVar

from chatcore.errors import Conflict, Invalid, TooLarge, TooMany


class NotAReply(Invalid):
    """This message was not written by a model, so there is nothing to stop, retry or regenerate."""

    code: ClassVar[str] = "not_a_reply"


class NotEditable(Invalid):
    """Only messages that people or outside systems wrote can be edited."""

    code: ClassVar[str] = "not_editable"


class NotCompared(Invalid):
    """This reply stands in no comparison, so there is nothing to choose it from."""

    code: ClassVar[str] = "not_compared"


class StillRunning(Conflict):
    """The reply is still running. Stop it first."""

    code: ClassVar[str] = "reply_running"


class AlreadyFinished(Conflict):
    """The reply has already finished."""

    code: ClassVar[str] = "reply_finished"


class NothingSaid(Invalid):
    """This reply ended before its first word, so there is nothing to continue. Try it again."""

    code: ClassVar[str] = "nothing_said"


class TooManyReplies(TooMany):
    """This integration has as many replies under way as it may have at once. Ask again when one has ended."""

    code: ClassVar[str] = "too_many_replies"


class NoModel(Invalid):
    """No model is available to you. Ask an administrator to add a provider."""

    code: ClassVar[str] = "no_model"


class FileRefused(Invalid):
    """This file cannot be attached."""

    code: ClassVar[str] = "file_refused"


class FileTooLarge(TooLarge):
    """The file is larger than this server takes."""

    code: ClassVar[str] = "file_too_large"


class AlreadySent(Conflict):
    """The attachment belongs to a message. It goes when that is deleted."""

    code: ClassVar[str] = "attachment_sent"


class TooManyWaiting(Conflict):
    """Too many of your files wait for their messages. Send or delete some first."""

    code: ClassVar[str] = "attachments_waiting"
