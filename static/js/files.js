// Files for a message: picked, dropped or pasted, uploaded at once with their progress shown, taken out again.
import { composer, on, parse } from "./page.js";
import { complain } from "./composer.js";
import { beside, keepBeside, keptBeside } from "./drafts.js";

const SETTLED = ["ready", "broken"];
const picked = new WeakMap(); // the files of each composer, in order

const filesOf = (form) => picked.get(form) ?? picked.set(form, []).get(form);
const input = (form) => form.querySelector("[data-files]");

export const hasFiles = (form) => filesOf(form).length > 0;
export const isUploading = (form) => filesOf(form).some((file) => !SETTLED.includes(file.state));
export const addressOf = (id) => `${input(composer()).dataset.upload}${id}/`;

/** Why they cannot be sent now, in words; nothing if they can. */
export function hindrance(form) {
  if (!hasFiles(form)) return "";
  if (!navigator.onLine) return input(form).dataset.offline;
  return filesOf(form).some((file) => file.state === "broken") ? input(form).dataset.broken : "";
}

/** What is sent of them: their ids, with what it takes to show them. The composer is empty afterwards. */
export function takeFiles(form) {
  const sent = filesOf(form).map(({ id, name, type }) => ({ id, name, type }));
  for (const file of filesOf(form)) forget(file);
  picked.delete(form);
  draw(form);
  keep(form);
  return sent;
}

/** What was refused comes back: it is uploaded already. */
export function giveFilesBack(form, sent) {
  for (const { id, name, type } of sent ?? []) show(form, { id, name, type, state: "ready" });
  draw(form);
  keep(form);
}

/** What is uploaded stays with the draft. */
function keep(form) {
  const ready = filesOf(form).filter(({ state }) => state === "ready");
  keepBeside(form, "files", ready.length && ready.map(({ id, name, type }) => ({ id, name, type })));
}

/** Those that still wait for a message are shown again; of the others nobody hears. */
async function restore(form, kept) {
  const there = await Promise.all(kept.map(({ id }) => waits(id)));
  const known = filesOf(form).map(({ id }) => id);
  if (form.isConnected) giveFilesBack(form, kept.filter(({ id }, at) => there[at] && !known.includes(id)));
}

/** Unless nobody answers: then who sends it will hear. */
async function waits(id) {
  const response = await fetch(addressOf(id)).catch(() => null);
  return response?.ok ? !(await response.json()).message : response?.status !== 404;
}

function add(form, list) {
  const { most, mostBytes, tooMany, tooLarge, empty } = input(form).dataset;
  complain(form);
  for (const blob of list) {
    if (filesOf(form).length >= Number(most)) return complain(form, tooMany);
    if (blob.size > Number(mostBytes)) complain(form, tooLarge.replace("{name}", blob.name));
    else if (!blob.size) complain(form, empty.replace("{name}", blob.name));
    else upload(form, show(form, { blob, name: blob.name || "file", type: blob.type, state: "waiting" }));
  }
  form.querySelector("[data-input]").focus();
}

function show(form, file) {
  file.row = parse(document.getElementById("picked-template").innerHTML).firstElementChild;
  file.row.querySelector("[data-name]").textContent = file.name;
  file.row.title = file.name;
  if (file.type.startsWith("image/")) {
    const image = file.row.querySelector("img");
    image.onerror = () => (image.hidden = true);
    image.onload = () => (image.hidden = false);
    file.url = file.blob ? URL.createObjectURL(file.blob) : "";
    image.src = file.url || `${addressOf(file.id)}content?preview=true`;
  }
  filesOf(form).push(file);
  form.querySelector("[data-picked]").append(file.row);
  draw(form, file);
  return file;
}

function draw(form, file) {
  const list = form.querySelector("[data-picked]");
  list.hidden = !hasFiles(form);
  form.classList.toggle("with-files", hasFiles(form));
  if (!hasFiles(form)) list.replaceChildren();
  if (!file) return;
  file.row.dataset.upload = file.state;
  file.row.querySelector("[data-note]").textContent = file.state === "broken" ? file.problem : sizeOf(file.blob);
  file.row.querySelector("progress").hidden = SETTLED.includes(file.state);
  file.row.querySelector("[data-upload-again]").hidden = file.state !== "broken" || file.isRefused;
}

function sizeOf(blob) {
  if (!blob) return "";
  const [count, unit] = blob.size < 1_000_000 ? [blob.size / 1_000, "kilobyte"] : [blob.size / 1_000_000, "megabyte"];
  const digits = count < 10 ? 1 : 0;
  const form = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, maximumFractionDigits: digits });
  return form.format(count);
}

function upload(form, file) {
  const request = (file.request = new XMLHttpRequest()), body = new FormData();
  file.state = "uploading";
  draw(form, file);
  request.open("POST", input(form).dataset.upload);
  request.setRequestHeader("X-CSRFToken", form.querySelector("[name=csrfmiddlewaretoken]").value);
  request.upload.onprogress = ({ loaded, total }) => (file.row.querySelector("progress").value = loaded / total);
  request.onload = () => answered(form, file, request);
  request.onerror = () => broken(form, file, input(form).dataset.unreachable);
  body.set("file", file.blob, file.name);
  request.send(body);
}

function answered(form, file, request) {
  let body = {};
  try {
    body = JSON.parse(request.responseText);
  } catch {} // not from the server itself
  if (request.status !== 201) {
    file.isRefused = request.status < 500 && request.status !== 401 && request.status !== 429;
    return broken(form, file, body.detail ?? input(form).dataset.unreachable);
  }
  Object.assign(file, { id: body.id, name: body.name, type: body.media_type, state: "ready" });
  settle(form, file);
}

function broken(form, file, problem) {
  Object.assign(file, { state: "broken", problem });
  settle(form, file);
}

function settle(form, file) {
  if (!filesOf(form).includes(file)) return;
  draw(form, file);
  keep(form);
  if (!isUploading(form)) form.dispatchEvent(new CustomEvent("files:settled", { bubbles: true }));
}

function forget(file) {
  file.request?.abort();
  if (file.url) URL.revokeObjectURL(file.url);
}

function remove(form, file) {
  forget(file);
  file.row.remove();
  picked.set(form, filesOf(form).filter((other) => other !== file));
  draw(form);
}

const fileAt = (form, button) => filesOf(form).find((file) => file.row === button.closest("[data-file]"));

on("click", "[data-take-out]", (_event, button) => {
  const form = button.closest("[data-composer]"), file = fileAt(form, button);
  remove(form, file);
  keep(form);
  complain(form);
  form.querySelector("[data-input]").focus();
  if (!file.id) return;
  const headers = { "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value };
  fetch(addressOf(file.id), { method: "DELETE", headers }).catch(() => {}); // it goes by itself after a day
});

on("click", "[data-upload-again]", (_event, button) => {
  const form = button.closest("[data-composer]");
  complain(form);
  upload(form, fileAt(form, button));
});

on("change", "[data-composer] [data-files]", (_event, field) => {
  add(field.form, [...field.files]);
  field.value = "";
});

// What is copied from a text has pictures of itself beside it: the text is meant.
on("paste", "[data-composer] [data-input]", (event, field) => {
  const { files, types } = event.clipboardData;
  if (!files.length || types.includes("text/plain")) return;
  event.preventDefault();
  add(field.form, [...files]);
});

const isOfFiles = (event) => event.dataTransfer?.types.includes("Files") && composer();
const mark = (event, isOver) => isOfFiles(event) && composer().classList.toggle("dropping", isOver);

document.addEventListener("dragover", (event) => {
  if (!isOfFiles(event)) return;
  event.preventDefault();
  mark(event, true);
});
document.addEventListener("dragleave", (event) => !event.relatedTarget && mark(event, false));
document.addEventListener("drop", (event) => {
  if (!isOfFiles(event)) return;
  event.preventDefault();
  mark(event, false);
  add(composer(), [...event.dataTransfer.files]);
});

document.addEventListener("page:shown", () => {
  const form = composer(), kept = form && !hasFiles(form) && keptBeside(form, "files");
  if (kept) restore(form, kept);
});

// Another tab went on with the draft: what it sent or took out goes here too, and what it added comes.
window.addEventListener("storage", ({ key }) => {
  const form = composer();
  if (!form || key !== beside(form, "files")) return;
  const kept = keptBeside(form, "files") ?? [];
  for (const file of filesOf(form)) if (file.state === "ready" && !kept.some(({ id }) => id === file.id)) remove(form, file);
  restore(form, kept);
});
