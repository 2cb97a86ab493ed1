"""What can be wrong with a wish about conversations."""

from typing import ClassVar

from chatcore.errors import Conflict, Forbidden, Invalid, TooLarge, TooMany


class NotAReply(Invalid):
    """This message was not written by a model, so there is nothing to stop, retry or regenerate."""

    code: ClassVar[str] = "not_a_reply"
    remedy: ClassVar[str] = "Name a message whose author is `assistant`."


class NotEditable(Invalid):
    """Only messages that people or outside systems wrote can be edited."""

    code: ClassVar[str] = "not_editable"
    remedy: ClassVar[str] = (
        "Name a message that a user or an integration wrote; a reply is regenerated instead."
    )


class NotCompared(Invalid):
    """This reply stands in no comparison, so there is nothing to choose it from."""

    code: ClassVar[str] = "not_compared"
    remedy: ClassVar[str] = "Choose among the replies that were asked for together with `models`."


class StillRunning(Conflict):
    """The reply is still running. Stop it first."""

    code: ClassVar[str] = "reply_running"
    remedy: ClassVar[str] = (
        "Wait for its end, or stop it with POST /api/v1/replies/{id}/stop, and send this again."
    )


class AlreadyFinished(Conflict):
    """The reply has already finished."""

    code: ClassVar[str] = "reply_finished"
    remedy: ClassVar[str] = "There is nothing left to do here. Regenerate it to have another one."


class NothingSaid(Invalid):
    """This reply ended before its first word, so there is nothing to continue. Try it again."""

    code: ClassVar[str] = "nothing_said"
    remedy: ClassVar[str] = "Retry the reply in place of continuing it."


class AskerGone(Forbidden):
    """Whoever asked for this reply may not ask here any more."""

    code: ClassVar[str] = "asker_gone"
    remedy: ClassVar[str] = (
        "The account, its membership or the integration was ended meanwhile. Let somebody ask who has these."
    )


class TooManyReplies(TooMany):
    """This integration has as many replies under way as it may have at once. Ask again when one has ended."""

    code: ClassVar[str] = "too_many_replies"


class NoModel(Invalid):
    """No model is available to you. Ask an administrator to add a provider."""

    code: ClassVar[str] = "no_model"
    remedy: ClassVar[str] = "Let an administrator add a provider, or grant the key `models:use`."


class FileRefused(Invalid):
    """This file cannot be attached."""

    code: ClassVar[str] = "file_refused"


class FileTooLarge(TooLarge):
    """The file is larger than this server takes."""

    code: ClassVar[str] = "file_too_large"


class AlreadySent(Conflict):
    """The attachment belongs to a message. It goes when that is deleted."""

    code: ClassVar[str] = "attachment_sent"
    remedy: ClassVar[str] = "Delete the message that it belongs to."


class TooManyWaiting(Conflict):
    """Too many of your files wait for their messages. Send or delete some first."""

    code: ClassVar[str] = "attachments_waiting"
    remedy: ClassVar[str] = (
        "Send those that wait with messages, or delete them. After a day they go by themselves."
    )
