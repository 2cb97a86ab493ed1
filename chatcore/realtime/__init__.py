"""The event log, the hub that fans out, and the WebSocket consumer."""
