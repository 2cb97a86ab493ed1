// Messages that wait for the server are shown where they will stand, also after a reload and in other tabs. They can
// be taken back: into the composer, or away.
import { composer, conversation, messageById, on, thread } from "./page.js";
import { bubbleFor, empty, giveBack } from "./send.js";
import { drain, isWaiting, takeBack } from "./outbox.js";
import { refresh } from "./thread.js";
import { keepPlace } from "./follow.js";
import { waiting } from "./store.js";

const place = () => thread() ?? document.querySelector("[data-waiting]");

/** Brings the bubbles to what is kept. */
async function show() {
  const kept = await waiting(), here = conversation(), box = place();
  if (!box) return;
  const items = kept.filter((item) => item.conversation === here);
  keepPlace(() => {
    for (const item of items) draw(box, item);
    arrange(box, items.map(({ client }) => messageById(client)).filter((bubble) => bubble?.matches(".pending")));
    for (const bubble of box.querySelectorAll(".pending")) {
      if (!items.some((item) => item.client === bubble.dataset.client)) gone(bubble);
    }
  });
}

function draw(box, item) {
  const form = composer(), isNew = !item.conversation;
  if (isNew && !isWaiting() && form.classList.contains("busy")) return; // it is on its way, and still in the composer
  let bubble = messageById(item.client);
  if (bubble && !bubble.matches(".pending")) return;
  if (!bubble) box.append((bubble = bubbleFor(item)));
  bubble.classList.toggle("waits", isWaiting());
  if (isNew && form.classList.contains("busy")) {
    form.classList.remove("busy");
    empty(form);
  }
}

/** Another tab may have written something before what is shown here already. */
function arrange(box, bubbles) {
  const isBehind = (bubble, next) => next && bubble.compareDocumentPosition(next) & Node.DOCUMENT_POSITION_PRECEDING;
  if (bubbles.some((bubble, at) => isBehind(bubble, bubbles[at + 1]))) box.append(...bubbles);
}

/** It was sent or taken back elsewhere, or its answer is just being drawn. */
function gone(bubble) {
  if (!thread()) return bubble.remove();
  if (bubble.matches(".waits")) {
    bubble.remove();
    refresh();
  }
}

async function back(bubble, use) {
  const item = await takeBack(bubble.dataset.client);
  if (!item) return;
  bubble.remove();
  use(item);
}

on("click", "[data-take-back]", (_event, button) => back(button.closest(".message"), (item) => giveBack(composer(), item)));
on("click", "[data-discard]", (_event, button) => back(button.closest(".message"), () => composer().querySelector("[data-input]").focus()));

document.addEventListener("outbox:changed", show);
document.addEventListener("outbox:sent", show);
document.addEventListener("page:shown", async () => {
  if (!(await waiting()).length) return;
  await show();
  drain();
});
