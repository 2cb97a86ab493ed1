// The service worker: keeps the frame of the pages, their static files and the last conversations readable offline.
// VERSION, FILES and OFFLINE stand before this, see conversations/pages/offline.py.
//
// A conversation is kept once, as the part that htmx exchanges. A whole page is that part put into the frame of the
// newest page, so the two forms of one address cannot be mistaken for each other.
const STATIC = `chatcore-static-${VERSION}`, PAGES = "chatcore-pages";
const FRAME = "/", FRAME_KEY = "/?frame", KEPT = 20;
const CONVERSATION = /^\/c\/[0-9a-f-]{36}\/$/, HASHED = /\.[0-9a-f]{12}\.\w+$/;
const LIST = /(<div id="list"[^>]*>).*?(<\/div>\s*<div class="side-end">)/s;
const FOREIGN = /^\/(accounts|admin|api|v1|events|ws|healthz|readyz)(\/|$)/;
const AWAY = [502, 503, 504];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(STATIC).then((cache) => cache.addAll([...FILES, ...OFFLINE])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith("chatcore-static-") && name !== STATIC;
  const cleaned = caches.keys().then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))));
  event.waitUntil(cleaned.then(() => self.clients.claim()).then(fetchFrame));
});

self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url), path = url.pathname;
  if (url.origin !== location.origin) return;
  if (request.method !== "GET") {
    if (path === "/accounts/logout/") event.waitUntil(forgetEverything());
    return;
  }
  if (path.startsWith("/static/")) return event.respondWith(file(request, path));
  const isNavigation = request.mode === "navigate";
  if (isNavigation && path === "/accounts/login/") return event.respondWith(signIn(request));
  if (FOREIGN.test(path)) return;
  const isPart = request.headers.get("HX-Request") === "true" && request.headers.get("HX-Target") !== "list";
  const isPage = isNavigation || request.headers.has("HX-History-Restore-Request");
  if (isPage || (isPart && isKept(url))) event.respondWith(page(event, url, isPage));
});

self.addEventListener("message", (event) => {
  const { keep: kept, forget, user } = event.data;
  if (kept) event.waitUntil(keepShown(kept, user));
  if (forget) event.waitUntil(caches.open(PAGES).then((cache) => cache.delete(forget)));
});

const isKept = ({ pathname, search }) => !search && (pathname === FRAME || CONVERSATION.test(pathname));

// --- Static files ---------------------------------------------------------------------------------------------

/** A name with a hash in it never changes its content; others are asked for, and kept for when nobody answers. */
async function file(request, path) {
  const cache = await caches.open(STATIC);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept && HASHED.test(path)) return kept;
  try {
    const response = await fetch(request);
    if (response.ok && response.status === 200) cache.put(request, response.clone());
    return response;
  } catch (problem) {
    if (kept) return kept;
    throw problem;
  }
}

// --- Pages ----------------------------------------------------------------------------------------------------

async function page(event, url, isPage) {
  let response;
  try {
    response = await fetch(event.request);
  } catch {} // nobody answers
  if (!response || AWAY.includes(response.status)) return (await offline(url, isPage)) ?? response ?? Response.error();
  if (isKept(url)) event.waitUntil(remember(url, response.clone(), isPage));
  return response;
}

async function remember(url, response, isPage) {
  if (response.type === "opaqueredirect" || response.redirected) return;
  if ([401, 403, 404, 410].includes(response.status)) return (await caches.open(PAGES)).delete(url.pathname);
  if (response.status !== 200 || response.headers.has("HX-Redirect")) return;
  const text = await response.text();
  if (!isPage) return store(url.pathname, text);
  const split = divide(text);
  if (!split) return;
  await claim(userOf(text));
  await store(FRAME_KEY, text);
  await store(url.pathname, split.part);
}

/** What the open page shows now, drawn by this server before; only for the one whose frame is kept. */
async function keepShown({ path, html, list }, user) {
  const frame = (await read(FRAME_KEY)) ?? (await fetchFrame().then(() => read(FRAME_KEY)));
  if (!CONVERSATION.test(path) || user !== userOf(frame?.text ?? "")) return;
  await store(path, html);
  if (list) await store(FRAME_KEY, frame.text.replace(LIST, (_, before, after) => before + list + after));
}

async function fetchFrame() {
  const response = await fetch(FRAME, { redirect: "manual" }).catch(() => null);
  if (response) await remember(new URL(FRAME, location.origin), response, true);
}

async function store(key, text) {
  const cache = await caches.open(PAGES);
  await cache.delete(key);
  await cache.put(key, new Response(text, { headers: { "Content-Type": "text/html; charset=utf-8", "X-Kept": Date.now() } }));
  const conversations = (await cache.keys()).filter((one) => CONVERSATION.test(new URL(one.url).pathname));
  for (const oldest of conversations.slice(0, -KEPT)) await cache.delete(oldest);
}

async function read(key) {
  const found = await (await caches.open(PAGES)).match(key);
  return found && { text: await found.text(), at: found.headers.get("X-Kept") };
}

/** What is kept of this address, and since when; else a page that says that it is not. */
async function offline(url, isPage) {
  const kept = isKept(url) ? await read(url.pathname) : null;
  const part = kept?.text.replace(/<div class="(chat|new)"/, `<div data-kept="${kept.at}" class="$1"`);
  if (part && !isPage) return html(part);
  const frame = part && (await read(FRAME_KEY));
  const { before, after } = (frame && divide(frame.text)) ?? {};
  if (before) return html(before.replace(/<title>.*?<\/title>/s, titleOf(part)) + part.replace(titleOf(part), "") + after);
  return (await caches.open(STATIC)).match(OFFLINE[isPage ? 0 : 1]);
}

const html = (text) => new Response(text, { headers: { "Content-Type": "text/html; charset=utf-8" } });
const titleOf = (text) => text.match(/<title>.*?<\/title>/s)?.[0] ?? "";
const userOf = (text) => text.match(/<body[^>]* data-user="([^"]*)"/)?.[1] ?? "";

/** A page as what stands before, in and behind its middle. */
function divide(text) {
  const opening = text.match(/<main id="main"[^>]*>/);
  const end = text.lastIndexOf("</main>");
  if (!opening || end < 0) return null;
  const start = opening.index + opening[0].length;
  return { before: text.slice(0, start), part: titleOf(text) + text.slice(start, end), after: text.slice(end) };
}

// --- Whose it is ----------------------------------------------------------------------------------------------

/** Another user's pages go before this one's come. */
async function claim(user) {
  const frame = await read(FRAME_KEY);
  if (frame && userOf(frame.text) !== user) await caches.delete(PAGES);
}

/** The sign-in page is shown to nobody who is signed in. */
async function signIn(request) {
  const response = await fetch(request);
  if (response.status === 200) await caches.delete(PAGES);
  return response;
}

async function forgetEverything() {
  await caches.delete(PAGES);
  await new Promise((resolve) => {
    const request = indexedDB.open("chatcore");
    request.onerror = resolve;
    request.onsuccess = () => {
      if (!request.result.objectStoreNames.contains("waiting")) return resolve();
      const transaction = request.result.transaction("waiting", "readwrite");
      transaction.objectStore("waiting").clear();
      transaction.oncomplete = transaction.onabort = () => resolve(request.result.close());
    };
  });
}
