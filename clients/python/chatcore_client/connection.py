"""What both clients share: whom they speak to and as whom, and what they show of a stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2

from chatcore_client.assembly import Assemblies, Assembly
from chatcore_client.errors import NotConnected, TransportFailed
from chatcore_client.events import Log
from chatcore_client.flow import Answer, Request, Settings
from chatcore_client.records import Message

Token = str | Callable[[], str]
AGENT = "chatcore-client/0.1.0"


class Address:
    """A server, and who asks it."""

    def __init__(
        self, base_url: str, key: str | None, token: Token | None, workspace: str | None, settings: Settings
    ) -> None:
        if (key is None) == (token is None):
            raise ValueError("Give either a key or a token.")
        if not base_url.startswith(("http://", "https://")):
            raise ValueError("The address of a server begins with http:// or https://.")
        for text in (key, token, workspace):
            if isinstance(text, str) and not (text.isascii() and text.isprintable()):
                raise ValueError("A key, token or workspace has a character that none of them has.")
        self._base = base_url.rstrip("/")
        self._secret = key if key is not None else token
        self._workspace = workspace
        self._settings = settings

    def request(
        self, http: httpx2.Client | httpx2.AsyncClient, request: Request, *, streams: bool = False
    ) -> httpx2.Request:
        secret = self._secret() if callable(self._secret) else self._secret
        headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json", "User-Agent": AGENT}
        if self._workspace:
            headers["X-Workspace"] = self._workspace
        if streams:
            headers["Accept-Encoding"] = "identity"
        reading = self._settings.silence if streams else self._settings.timeout + request.patience
        return http.build_request(
            request.method,
            self._base + request.path,
            params=dict(request.query) or None,
            json=request.body,
            headers={**headers, **request.headers},
            timeout=httpx2.Timeout(self._settings.timeout, read=reading),
        )

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Errors of the network as ours."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NotConnected(f"{self._base} cannot be reached: {error}") from error
        except (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError) as error:
            raise TransportFailed(f"{self._base} gave no whole answer: {error!r}") from error

    def answer(self, response: httpx2.Response, body: bytes) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body)


class Growing:
    """What is known of a streamed reply so far; of several, the first model's."""

    _assemblies: Assemblies

    @property
    def _assembly(self) -> Assembly:
        return self._assemblies.first

    @property
    def replies(self) -> tuple[Message, ...]:
        """Every whole reply, in the order in which the models were named, once the stream has ended."""
        return tuple(one.reply for one in self._assemblies.known if one.reply)

    @property
    def id(self) -> str | None:
        """The reply's id, from its first frame on."""
        return self._assembly.reply_id

    @property
    def text(self) -> str:
        return self._assembly.text

    @property
    def reasoning(self) -> str:
        return self._assembly.reasoning

    @property
    def attempt(self) -> int:
        return self._assembly.attempt

    @property
    def reply(self) -> Message | None:
        """The whole reply, once the stream has ended; its `status` tells how."""
        return self._assembly.reply

    def _whole(self) -> Message:
        if self._assembly.reply is None:
            raise TransportFailed("The stream was closed before the reply ended.")
        return self._assembly.reply


class Standing:
    """Where a reader of the event log stands."""

    _log: Log

    @property
    def cursor(self) -> str | None:
        """The newest position that is safe to resume from: keep it, and hand it to `events(after=…)` later."""
        return self._log.cursor
