"""Groups by which requests reach the workers."""

from chatcore.realtime.hub import CONTROL

STOP_GROUP = f"{CONTROL}stop"
QUEUE_GROUP = f"{CONTROL}queue"
QUEUED = "replies.queued"
