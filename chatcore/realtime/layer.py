"""The pub/sub layer of channels_redis, for many groups at once: what costs Redis a command each leaves as one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

from chatcore.realtime.hub import CONTROL

MANY = 8  # groups whose messages go to every process as one, which leaves out what is not its own


class PubSubLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    async def send_many(self, messages: Mapping[str, Any]) -> None:
        """`group_send` of each group's message, in the order of their groups.

        A message of its own costs its receiver 50 us, one of many that come as one a few: what is for many groups goes
        to every process that listens to any but those of control, which have theirs.
        """
        for shard, names in self._by_shard(messages).items():
            shard._ensure_redis()
            sent = {name: self.serialize(messages[group]) for name, group in names.items()}
            followed = {name: sent[name] for name, group in names.items() if not group.startswith(CONTROL)}
            if len(followed) >= MANY:
                own = {name: message for name, message in sent.items() if name not in followed}
                sent = {self._everybody: self.serialize(followed)} | own
            async with shard._redis.pipeline(transaction=False) as pipe:
                for name, message in sent.items():
                    pipe.publish(name, message)
                await pipe.execute()

    async def add_to_many(self, groups: Iterable[str], channel: str) -> None:
        """`group_add` for each of the groups. Raises where Redis is away; safe to repeat."""
        layer = self._get_layer()
        layer.channels.setdefault(self._everybody, Spreading(self))
        for shard, names in self._by_shard(groups).items():
            for name in names:
                layer.groups.setdefault(name, set()).add(channel)
            async with shard._lock:
                follows = any(not group.startswith(CONTROL) for group in names.values())
                fresh = {*names, *([self._everybody] if follows else ())} - shard._subscribed_to
                if fresh:
                    shard._ensure_redis()
                    shard._ensure_receiver()
                    await shard._pubsub.subscribe(*fresh)
                    shard._subscribed_to |= fresh

    async def discard_from_many(self, groups: Iterable[str], channel: str) -> None:
        """`group_discard` for each of the groups."""
        members = self._get_layer().groups
        for shard, names in self._by_shard(groups).items():
            for name in names:
                members.get(name, set()).discard(channel)
            async with shard._lock:
                empty = {name for name in names if not members.get(name)}
                followed = empty & shard._subscribed_to
                if followed:
                    await shard._pubsub.unsubscribe(*followed)
                    shard._subscribed_to -= followed
            for name in empty:
                if not members.get(name):  # nobody has come meanwhile
                    members.pop(name, None)

    @property
    def _everybody(self) -> str:
        return f"{self._get_layer().prefix}__everybody"

    def _by_shard(self, groups: Iterable[str]) -> dict[Any, dict[str, str]]:
        """The groups by their names in Redis, for each of its servers."""
        layer = self._get_layer()
        found: dict[Any, dict[str, str]] = defaultdict(dict)
        for group in groups:
            name = layer._get_group_channel_name(group)
            found[layer._get_shard(name)][name] = group
        return found


class Spreading:
    """What the layer takes for the queue of a channel: messages of many groups, for this process's members of them."""

    def __init__(self, layer: PubSubLayer) -> None:
        self._layer = layer

    def put_nowait(self, data: bytes) -> None:
        layer = self._layer._get_layer()
        for name, message in self._layer.deserialize(data).items():
            for channel in layer.groups.get(name, ()):
                if channel in layer.channels:
                    layer.channels[channel].put_nowait(message)
