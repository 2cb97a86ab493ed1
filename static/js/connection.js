// The WebSocket: opened again after every loss, from the last known position on.
const QUIET = 25_000; // milliseconds without a frame until we ask whether anybody is there
const ANSWERED = 5_000; // within which somebody who is there has answered
const SLOWEST = 15_000;
const SIGNED_OUT = [4401, 4403], MALFORMED = 4400;

export class Connection {
  /** `cursor()` names where to go on; `heard` gets every frame, `changed` the state: open, broken or signedOut. */
  constructor({ cursor, heard, changed }) {
    Object.assign(this, { cursor, heard, changed, failures: 0, told: 0, state: "" });
  }

  open() {
    this.close();
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/?after=${encodeURIComponent(this.cursor())}`);
    this.socket = socket;
    socket.onmessage = (event) => socket === this.socket && this.take(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.socket && this.lost(event.code);
    this.listen();
  }

  close() {
    clearTimeout(this.retry);
    clearTimeout(this.quiet);
    const socket = this.socket;
    this.socket = null;
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  /** Opens what is closed, and asks what seems open whether it still is. */
  check() {
    const state = this.socket?.readyState;
    if (state === WebSocket.OPEN) this.ask();
    else if (state !== WebSocket.CONNECTING) this.open();
  }

  say(type, data = {}) {
    const isOpen = this.socket?.readyState === WebSocket.OPEN;
    if (isOpen) this.socket.send(JSON.stringify({ type, data, ref: type }));
    return isOpen;
  }

  take(frame) {
    this.listen();
    if (frame.type === "reconnect") this.told = frame.data.after * 1000;
    if (frame.type === "hello") {
      this.failures = 0;
      this.change("open");
    }
    this.heard(frame);
  }

  /** A connection that says nothing may be dead without knowing it. */
  listen() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.ask(), QUIET);
  }

  ask() {
    clearTimeout(this.quiet);
    this.say("ping");
    this.quiet = setTimeout(() => this.lost(), ANSWERED);
  }

  lost(code) {
    this.close();
    if (SIGNED_OUT.includes(code)) return this.change("signedOut");
    this.failures += code === MALFORMED ? 4 : 1;
    const wait = this.told || Math.min(SLOWEST, 300 * 2 ** this.failures) * (0.5 + Math.random() / 2);
    this.told = 0;
    this.retry = setTimeout(() => this.open(), wait);
    this.change("broken");
  }

  change(state) {
    this.state = state;
    this.changed(state);
  }
}
