"""Embedded Postgres: the binaries of a wheel, run as a child of ours on a socket only we can reach.

`connection_settings` says how to connect; `running` keeps a server up inside a `with`, `ensure` for the rest
of this process. The server ends with the process that started it, also when that one is killed.
"""

from chatcore.embedded.errors import AlreadyRunningError, EmbeddedError
from chatcore.embedded.places import Places, connection_settings
from chatcore.embedded.server import Server
from chatcore.embedded.sharing import ensure, running

__all__ = [
    "AlreadyRunningError",
    "EmbeddedError",
    "Places",
    "Server",
    "connection_settings",
    "ensure",
    "running",
]
