"""Writes: each checks, writes and announces in one transaction. Every door calls these and nothing else."""

from conversations.actions.comparisons import choose_reply
from conversations.actions.conversations import (
    adjust_conversation,
    archive_conversation,
    choose_branch,
    delete_conversation,
    pin_conversation,
    rename_conversation,
    start_conversation,
    unarchive_conversation,
    unpin_conversation,
    update_conversation,
)
from conversations.actions.dialogues import Dialogue, Spoken, post_dialogues
from conversations.actions.messages import (
    Posted,
    Wish,
    delete_message,
    edit_message,
    post_message,
    post_messages,
)
from conversations.actions.replies import continue_reply, regenerate_reply, retry_reply, stop_reply

__all__ = [
    "Dialogue",
    "Posted",
    "Spoken",
    "Wish",
    "adjust_conversation",
    "archive_conversation",
    "choose_branch",
    "choose_reply",
    "continue_reply",
    "delete_conversation",
    "delete_message",
    "edit_message",
    "pin_conversation",
    "post_dialogues",
    "post_message",
    "post_messages",
    "regenerate_reply",
    "rename_conversation",
    "retry_reply",
    "start_conversation",
    "stop_reply",
    "unarchive_conversation",
    "unpin_conversation",
    "update_conversation",
]
