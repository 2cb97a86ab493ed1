"""Groups by which requests reach the workers."""

STOP_GROUP = "control.stop"
