"""Tables of conversations: each noun has a module."""

from conversations.models.attachments import Attachment
from conversations.models.comparisons import Comparison
from conversations.models.conversations import Conversation, Member
from conversations.models.messages import Message, Receipt, Summary
from conversations.models.unstored import UnstoredReply

__all__ = [
    "Attachment",
    "Comparison",
    "Conversation",
    "Member",
    "Message",
    "Receipt",
    "Summary",
    "UnstoredReply",
]
