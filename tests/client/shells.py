"""The asynchronous client played like the blocking one, so that every test holds for both."""

import asyncio
from collections.abc import Iterator
from inspect import isawaitable
from types import TracebackType
from typing import Any

from chatcore_client import AsyncChatcore, AsyncStream


class Driven:
    """An object of the asynchronous client: whatever it gives to await or to iterate is awaited or iterated here."""

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self.__dict__.update(inner=inner, runner=runner)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        is_part = type(found).__module__ == "chatcore_client.asynchronous"
        return self._outcome(found) if callable(found) or is_part else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            made = self.inner(*args, **kwargs)
            return await made if isawaitable(made) else made

        made = self.runner.run(call())
        return Driven(made, self.runner) if isinstance(made, AsyncStream) else made

    def _outcome(self, found: Any) -> "Driven":
        return Driven(found, self.runner)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        async def following() -> Any:
            return await anext(self.inner)

        try:
            return self.runner.run(following())
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> "Driven":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DrivenChatcore(Driven):
    """`AsyncChatcore` with an event loop of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(AsyncChatcore(*args, **kwargs), asyncio.Runner())

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()
        self.runner.close()
