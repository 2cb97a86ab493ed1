"""Conversations for looking at the pages: every kind of message, every state, long, short and in many scripts."""

import gzip
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from bench.ledger import fill_ledger
from chatcore.accounts.models import Integration, Membership, User, Workspace
from conversations.models import Conversation, Member, Message

# Real conversations in many languages (OpenAssistant, Apache-2.0), if the file is there; else a few of our own.
TREES = Path(os.environ.get("SAMPLE_TREES", "shared/oasst2_trees.jsonl.gz"))

TITLES = (
    "Quarterly numbers, first draft",
    "Übersetzung der Betriebsanleitung",
    "Kyoto in four days",
    "Regex for invoice ids",
    "Interview questions, backend",
    "رسالة إلى المورّد",
    "小型网站的数据库",
    "Migrating the billing service without downtime: what must happen in which order, and who has to know about it",
    "Names for the cat",
    "Why is the build slow?",
    "Letter to the landlord",
    "Compare pricing pages",
    "A birthday speech",
    "Postgres: bloat",
    "Rust lifetimes, once more",
)

ESTIMATE = """At the present rate the volume is full in about **five hours**, shortly after 19:00:

| Time | Used | Free |
|:--|--:|--:|
| 14:00 | 93.0 % | 28 GB |
| 17:00 | 97.2 % | 11 GB |
| 19:00 | 100 % | 0 GB |

With $u = 0.93$ and growth $g = 1.4\\,\\%/h$ that is

$$
\\frac{1-u}{g} = \\frac{0.07}{0.014\\,h^{-1}} = 5.0\\,h
$$

To watch it, run this beside the clean-up:

```python
def hours_left(used: float, rate: float) -> float:
    \"\"\"Both in percent; the rate per hour.\"\"\"
    if rate <= 0:
        raise ValueError("the disk does not grow")
    return (100 - used) / rate


print(f"{hours_left(93.0, 1.4):.1f} h")  # 5.0 h
```

Shall I raise the alert threshold while the clean-up runs? It takes `ionice -c3` and about **twenty minutes**."""

EVERYTHING = """# Everything a text can hold

A paragraph with *emphasis*, **strong words**, `inline code`, ~~what was struck~~, a [link](https://www.postgresql.org/docs/current/textsearch.html) and a bare address: https://docs.python.org/3/library/asyncio.html. A footnote follows.[^1]

## Lists

1. First, the order matters.
2. Second, with a list inside:
   - a dash
   - another one, which is long enough to need a second line on most screens, so that its indentation can be judged
     - and a third level
3. Third.

- [x] Written
- [ ] Reviewed
- [ ] Published

### Quotation

> Premature optimisation is the root of all evil.
>
> — *Donald Knuth*

### A wide table

| Database | Licence | Replication | Full text | JSON | Vectors | Row-level security | Since |
|:--|:--|:--|:--:|:--:|:--:|:--:|--:|
| PostgreSQL | PostgreSQL | logical and physical | yes | yes | pgvector | yes | 1996 |
| SQLite | public domain | none of its own | FTS5 | yes | by extension | no | 2000 |
| MariaDB | GPL | binlog, Galera | yes | partly | since 11.7 | no | 2009 |

### Code with long lines

```typescript
export async function* follow(url: string, { signal, lastEventId }: { signal?: AbortSignal; lastEventId?: string } = {}): AsyncGenerator<Event> {
  const response = await fetch(url, { signal, headers: lastEventId ? { "Last-Event-ID": lastEventId } : {} });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
}
```

```
plain text, no language
  indented
```

### Mathematics

Inline $e^{i\\pi} + 1 = 0$, and a system:

$$
\\begin{cases} x + y = 10 \\\\ 2x - y = 2 \\end{cases}
\\qquad
A = \\begin{pmatrix} 1 & 2 & 3 \\\\ 4 & 5 & 6 \\\\ 7 & 8 & 9 \\end{pmatrix}
\\qquad
\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}
$$

![A diagram of the cluster](https://example.com/cluster.png)

---

That was all of it.

[^1]: Here it is, with `code` in it."""  # noqa: E501 (a text as models write it)

ARABIC = """بالتأكيد! إليك مسودة قصيرة:

> السادة الكرام،
> نرجو إبلاغنا بموعد وصول الطلب رقم **4711**.

1. اذكر رقم الطلب.
2. اطلب تاريخًا محددًا.

```bash
curl -s https://example.com/orders/4711
```

ومع ذلك، يمكن تعديل النبرة إذا رغبت."""

REASONING = """The user asks for the shortest path. Dijkstra needs non-negative weights; here one weight is negative, so Bellman–Ford it is.

Let me check the number of relaxations: V - 1 = 4 rounds over 7 edges, so 28 at most."""  # noqa: E501


class Chat:
    """One conversation as it is filled; every message stands below the one before unless told otherwise."""

    def __init__(self, user: User, workspace: Workspace, title: str, *, ago: timedelta, **place: Any) -> None:
        self.at = timezone.now() - ago
        self.conversation = Conversation.objects.create(
            workspace=workspace, owner=user, title=title, title_source="given", last_message_at=self.at
        )
        self.member = Member.objects.create(
            conversation=self.conversation, user=user, workspace=workspace, last_message_at=self.at, **place
        )
        self.leaf: Message | None = None

    def says(
        self, text: str, author: str = "user", *, below: Message | None = None, **fields: Any
    ) -> Message:
        self.at += timedelta(seconds=40)
        parent = below or self.leaf
        message = Message.objects.create(
            workspace_id=self.conversation.workspace_id,
            conversation=self.conversation,
            parent=parent,
            author=author,
            text=text,
            **fields,
        )
        Message.objects.filter(id=message.id).update(created_at=min(self.at, timezone.now()))
        self.leaf = self.conversation.active_leaf = message
        self.conversation.save(update_fields=["active_leaf"])
        return message

    def answers(self, text: str, model: str = "GPT-5", **fields: Any) -> Message:
        usage = fields.pop("usage", {"input_tokens": 318, "output_tokens": max(1, len(text) // 4)})
        return self.says(text, "assistant", model_label=model, usage=usage, attempt=1, **fields)


def fill(email: str) -> dict[str, str]:
    """Fill the user's workspace; returns the addresses of what is worth a picture, by name."""
    user = User.objects.get(email=email)
    membership = Membership.objects.filter(user=user).select_related("workspace").earliest("joined_at")
    workspace = membership.workspace
    chats = {
        "alerts": _alerts(user, workspace),
        "everything": _everything(user, workspace),
        "states": _states(user, workspace),
        "scripts": _scripts(user, workspace),
        "lengths": _lengths(user, workspace),
        "long": _long(user, workspace),
        "empty": Chat(user, workspace, "", ago=timedelta(hours=3)),
    }
    for number, title in enumerate(TITLES):
        ago = timedelta(hours=5 + 11 * number * (1 + number / 4))
        chat = Chat(user, workspace, title, ago=ago, pinned=number == 4)
        chat.says(title)
        chat.answers("Gladly.")
    old = Chat(
        user, workspace, "Notes from the old office", ago=timedelta(days=400), archived_at=timezone.now()
    )
    old.says("Where did we keep the spare keys?")
    fill_ledger(user, workspace)
    return {name: f"/c/{chat.conversation.id}/" for name, chat in chats.items()}


def _alerts(user: User, workspace: Workspace) -> Chat:
    monitoring, _ = Integration.objects.get_or_create(workspace=workspace, name="Prometheus", acts_as=user)
    chat = Chat(user, workspace, "db-3 disk alerts", ago=timedelta(minutes=9))
    chat.says(
        "Disk **93 %** full on `db-3` (`/var/lib/postgresql`), growing 1.4 % per hour.",
        "integration",
        integration=monitoring,
        user=user,
    )
    asked = chat.says("How long do we have? Show me the estimate.")
    chat.answers("About five hours.", model="Mistral Large")
    chat.answers("Roughly until seven in the evening.", below=asked, model="Claude Opus")
    route = [
        {"provider": "OpenAI", "model": "GPT-5", "deployment": "gpt-5 at OpenAI", "outcome": "rate_limited"},
        {"provider": "Azure", "model": "GPT-5", "deployment": "gpt-5 at Azure", "outcome": "answered"},
    ]
    chat.answers(ESTIMATE, below=asked, route=route)
    return chat


def _everything(user: User, workspace: Workspace) -> Chat:
    chat = Chat(user, workspace, "Everything a text can hold", ago=timedelta(minutes=70))
    chat.says("Show me everything you can draw.")
    chat.answers(EVERYTHING, reasoning=REASONING)
    return chat


def _states(user: User, workspace: Workspace) -> Chat:
    chat = Chat(user, workspace, "Every state of a reply", ago=timedelta(minutes=30))
    chat.says("What is the fastest way from A to E if one road pays me?")
    chat.answers("Take the road that", status="stopped", usage=None, reasoning=REASONING)
    chat.says("Go on.")
    chat.answers("", status="stopped", usage=None)
    chat.says("And now?")
    words = "The provider is overloaded. Wait a moment and try again, or choose another model."
    error = {"code": "overloaded", "detail": words, "retryable": True}
    chat.answers("It begins with a sentence, and then", status="failed", error=error, usage=None)
    chat.says("Once more, please.")
    chat.answers("", finish_reason="stop", usage={"input_tokens": 12, "output_tokens": 0})
    chat.says("List the first hundred primes.")
    chat.answers("2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37", finish_reason="length", usage=None)
    chat.says("This conversation was taken over from another system.", "system")
    chat.says("Thank you! One more:")
    chat.answers("", status="failed", error=error, usage=None)
    return chat


def _scripts(user: User, workspace: Workspace) -> Chat:
    chat = Chat(user, workspace, "رسالة إلى المورّد بشأن موعد التسليم", ago=timedelta(hours=2))
    chat.says("اكتب رسالة قصيرة ومهذبة إلى المورّد تسأل عن موعد وصول طلبنا.")
    chat.answers(ARABIC)
    chat.says("用中文怎么说？")
    chat.answers("您好！请问我们的订单 **4711** 预计何时送达？谢谢。\n\n- 语气：礼貌\n- 长度：一句话")
    chat.says("日本語でも")
    chat.answers("お世話になっております。注文番号 **4711** の到着予定日を教えていただけますでしょうか。")
    return chat


def _lengths(user: User, workspace: Workspace) -> Chat:
    chat = Chat(user, workspace, TITLES[7], ago=timedelta(hours=1))
    chat.says("Hi")
    chat.answers("Hello!")
    chat.says(" ".join(f"Sentence {n} says what the one before it left out." for n in range(560)))
    chat.answers(
        "That is a long text.\n\n" + "\n\n".join(f"Paragraph {n}. " + "It goes on. " * 30 for n in range(4))
    )
    chat.says("a" * 300 + " https://example.com/" + "path/" * 40)
    chat.answers("`" + "x" * 200 + "` and " + "y" * 200)
    return chat


def _long(user: User, workspace: Workspace) -> Chat:
    chat = Chat(user, workspace, "Two hundred messages", ago=timedelta(hours=4))
    said = _real_texts() or [ESTIMATE, "Why?", "Because of the index.", EVERYTHING]
    for number in range(100):
        chat.says(said[2 * number % len(said)][:600])
        chat.answers(said[(2 * number + 1) % len(said)])
    return chat


def _real_texts() -> list[str]:
    if not TREES.exists():
        return []
    with gzip.open(TREES, "rt", encoding="utf-8") as lines:
        trees = [json.loads(line) for _, line in zip(range(160), lines, strict=False)]
    return [text for tree in trees if tree["replies"] for text in (tree["text"], tree["replies"][0]["text"])]
