"""Groups by which requests reach the workers."""

STOP_GROUP = "control.stop"
QUEUE_GROUP = "control.queue"
QUEUED = "replies.queued"
