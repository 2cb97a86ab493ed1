// One connection per browser: the tabs elect one of them to lead, by a lock that only one can hold, and talk over a
// channel. Where the browser has neither (pages over plain http), each tab leads itself.
import { Leader } from "./leader.js";

const NAME = `live:${document.body.dataset.user}`;
const ASK_EVERY = 2_500, PATIENCE = 1_500; // milliseconds a leader may be silent towards a tab that is looked at
const shares = Boolean(navigator.locks && window.BroadcastChannel);
const me = `${Date.now()}-${Math.random()}`;
const lockOf = (tab) => shares && `${NAME}:${tab}`;

let channel, tell, leader, resign, candidacy, silence;
let wish = { watching: "", active: true };
let heardAt = 0, isWelcome = false, asleepSince = 0;
let passedOn = 0; // frames that the leader has passed on, as counted by itself and by each that follows
let followed = ""; // whom this tab follows

/** Begins. `page` has: cursor(), since(), frame(frame), state(state), recent(since) and stale(). */
export function begin(page) {
  tell = page;
  if (!shares) return void lead();
  channel = new BroadcastChannel(NAME);
  channel.onmessage = ({ data }) => (leader ? serve(data) : follow(data));
  navigator.locks.request(lockOf(me), () => {
    if (!leader) greet();
    return new Promise(() => {}); // held until the tab ends
  });
  campaign();
  setInterval(() => document.hidden || leader || Date.now() - heardAt < ASK_EVERY || ask(), ASK_EVERY);
}

/** What this tab looks at, and whether somebody is there. */
export function want(changed) {
  wish = { ...wish, ...changed };
  if (leader) leader.wish(me, wish);
  else post("wish", { wish });
}

export function say(type, data) {
  if (leader) leader.say(type, data);
  else post("say", { frame: { type, data } });
}

const post = (type, rest = {}) => channel?.postMessage({ type, from: me, passedOn, ...rest });

// --- Electing -------------------------------------------------------------------------------------------------

/** Stands in line for the lead, or takes it from a leader that has stopped answering. */
async function campaign(steal = false) {
  candidacy?.abort();
  const mine = (candidacy = new AbortController());
  try {
    await navigator.locks.request(NAME, steal ? { steal } : { signal: mine.signal }, lead);
  } catch {
    if (mine !== candidacy) return;
    stepDown(); // the lead was taken while this tab slept
    isWelcome = true;
    campaign();
    greet();
  }
}

function lead() {
  clearTimeout(silence);
  passedOn = 0;
  leader = new Leader({
    me,
    cursor: tell.cursor,
    heard(frame) {
      heardAt = Date.now();
      passedOn += 1;
      post("frame", { frame });
      tell.frame(frame);
    },
    changed(state) {
      post("state", { state });
      tell.state(state);
    },
    lockOf,
  });
  leader.wish(me, wish);
  post("leading");
  return new Promise((resolve) => (resign = resolve));
}

function stepDown() {
  leader?.close();
  leader = null;
  resign?.();
}

// --- Leading --------------------------------------------------------------------------------------------------

function serve(message) {
  const { type, from } = message;
  if (type === "leading") return; // whoever was woken last finds out by its lock
  if (type === "there") post("here", { to: from });
  if (type === "say") leader.say(message.frame.type, message.frame.data);
  if (type === "wish") leader.wish(from, message.wish);
  if (type !== "hello") return;
  post("welcome", { to: from, state: leader.state, ...tell.recent(message.since) });
  leader.wish(from, message.wish, true);
  if (leader.state === "signedOut") leader.connection.open();
}

// --- Following ------------------------------------------------------------------------------------------------

/** Nothing is missing up to what was heard last; before the first welcome, up to when the page was drawn. */
const greet = () => post("hello", { wish, since: asleepSince || (isWelcome ? heardAt : tell.since()) });

function follow(message) {
  const { type } = message;
  if (["hello", "wish", "say", "there"].includes(type) || (message.to && message.to !== me)) return;
  clearTimeout(silence);
  if (isWelcome && isGap(message)) greet();
  followed = message.from;
  passedOn = message.passedOn;
  heardAt = Date.now();
  if (type === "leading") return greet();
  if (type === "frame") tell.frame(message.frame);
  if (type === "state") tell.state(message.state);
  if (type !== "welcome") return;
  isWelcome = true;
  asleepSince = 0;
  message.frames.forEach((frame) => tell.frame(frame));
  if (!message.whole) tell.stale();
  if (message.state) tell.state(message.state);
}

/** A browser may drop what is said to a tab that sleeps. */
const isGap = ({ type, from, passedOn: count }) =>
  from === followed && type !== "welcome" && count !== passedOn + (type === "frame" ? 1 : 0);

/** A leader that the browser has frozen does not answer: another takes the connection over. */
function ask() {
  const asked = Date.now();
  post("there");
  clearTimeout(silence);
  silence = setTimeout(() => (Date.now() - asked > 2 * PATIENCE ? ask() : campaign(true)), PATIENCE);
}

/** After a sleep: whatever was missed is asked for. */
function wake() {
  if (leader) return leader.connection.check();
  if (!channel) return;
  greet();
  ask();
}

const sleep = () => (asleepSince ||= Date.now());

document.addEventListener("freeze", sleep);
document.addEventListener("resume", wake);
for (const type of ["online", "offline"]) window.addEventListener(type, () => leader?.connection.check());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (leader) leader.connection.check();
  else if (channel) ask();
});
window.addEventListener("pagehide", () => {
  if (!shares) return;
  sleep();
  const left = candidacy;
  candidacy = null;
  left?.abort();
  stepDown();
});
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  if (shares) campaign();
  wake();
});
