// The tab that owns the connection: it subscribes to whatever any tab looks at, and passes on what they say.
import { Connection } from "./connection.js";

const OPTIONAL = ["ack", "typing", "presence"]; // left out once a server has answered that it does not know them

export class Leader {
  /** `heard` and `changed` get what the connection says; `lockOf` names the lock that a tab holds while it lives. */
  constructor({ me, cursor, heard, changed, lockOf }) {
    this.me = me;
    this.heard = heard;
    this.changed = changed;
    this.lockOf = lockOf;
    this.wishes = new Map(); // of each tab: the conversation it looks at, and whether somebody is there
    this.subscribed = new Set();
    this.unknown = new Set();
    this.ending = new AbortController();
    this.connection = new Connection({ cursor, heard: (frame) => this.take(frame), changed: (state) => this.change(state) });
    this.connection.open();
  }

  get state() {
    return this.connection.state;
  }

  close() {
    this.ending.abort();
    this.connection.close();
  }

  /** What a tab wants from now on. With `again` it needs all of a running reply once more. */
  wish(tab, wish, again = false) {
    const before = this.wishes.get(tab);
    if (!before) this.attend(tab);
    this.wishes.set(tab, wish);
    this.settle(again || before?.watching !== wish.watching ? wish.watching : "");
  }

  /** A tab that ends without a word lets go of its lock, and its wishes go with it. */
  attend(tab) {
    const lock = this.lockOf(tab);
    if (!lock || tab === this.me) return;
    navigator.locks.request(lock, { signal: this.ending.signal }, () => {
      this.wishes.delete(tab);
      this.settle();
    }).catch(() => {}); // another tab leads now
  }

  settle(again = "") {
    const wanted = new Set([...this.wishes.values()].map((wish) => wish.watching).filter(Boolean));
    for (const id of [...this.subscribed].filter((one) => !wanted.has(one))) {
      this.connection.say("unsubscribe", { conversation: id });
      this.subscribed.delete(id);
    }
    for (const id of wanted) {
      if (this.subscribed.has(id) && id !== again) continue;
      if (this.connection.say("subscribe", { conversation: id, form: "html" })) this.subscribed.add(id);
    }
    const isSomebodyThere = [...this.wishes.values()].some((wish) => wish.active);
    if (isSomebodyThere !== this.wasSomebodyThere && this.say("presence", { state: isSomebodyThere ? "online" : "away" })) {
      this.wasSomebodyThere = isSomebodyThere;
    }
  }

  say(type, data) {
    return !this.unknown.has(type) && this.connection.say(type, data);
  }

  take(frame) {
    if (frame.type === "pong") return;
    if (frame.type === "error" && frame.data.status === 400 && OPTIONAL.includes(frame.ref)) this.unknown.add(frame.ref);
    this.heard(frame);
  }

  change(state) {
    this.subscribed.clear();
    this.wasSomebodyThere = true;
    this.changed(state);
    if (state === "open") this.settle();
  }
}
