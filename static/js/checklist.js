// The checklist: panels that open over a row, and parts of the page that are renewed when something changed.
// Without this file the links lead to the item's own page, and a reload shows what is new.

import { toast } from "./app.js";

const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const panel = one("#panel");

// Once it has settled: before, htmx does not know the form yet, and Enter would send it past htmx.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target !== panel) return;
  if (!panel.open) panel.showModal();
  put();
  (one("[autofocus], select, textarea, input:not([type=hidden], [type=file])", panel) || panel).focus();
});
document.addEventListener("item-done", (event) => {
  panel.close(); // the browser gives the focus back to the row
  toast(event.detail.said, "ok");
  renew();
});

panel?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
});

// --- A file dropped on a row, or pasted while the row is the current one: the panel opens with the file in its form ---

let brought = null; // files on their way into the panel that is being fetched
function bring(row, files) {
  const attach = row && one("[data-row-key=e]", row);
  if (!attach || !files.length) return false;
  brought = files;
  attach.click();
  return true;
}
function put() {
  const input = brought && one("[data-drop] input[type=file]", panel);
  if (input) {
    input.files = brought;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  brought = null;
}
const holds = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  const row = holds(event) && !panel.open && event.target.closest?.("#checklist [data-row]");
  for (const other of all("tr[data-over]")) other.toggleAttribute("data-over", other === row);
  if (!row || !one("[data-row-key=e]", row)) return;
  event.preventDefault(); // else the browser would open the file
  row.dataset.over = "";
});
document.addEventListener("drop", (event) => {
  for (const row of all("tr[data-over]")) row.removeAttribute("data-over");
  if (!holds(event) || panel.open) return;
  if (bring(event.target.closest?.("#checklist [data-row]"), event.dataTransfer.files)) event.preventDefault();
});
document.addEventListener("paste", (event) => {
  if (!one("dialog[open]")) bring(one("#checklist [data-row][data-current]"), event.clipboardData.files);
});

// --- Renewing: the page is asked for again, and what has changed takes the place of what was there ---

const ids = (from) => all("#checklist [data-row]", from).map((row) => row.id).join(" ");

async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const active = document.activeElement;
  const [at, key] = [active.closest("[data-row]")?.id, active.dataset.rowKey];
  if (ids(fresh) !== ids(document)) replaceList(fresh);
  for (const part of all("[data-part]")) {
    const now = document.getElementById(part.id) === part && fresh.getElementById(part.id);
    if (now && (part.dataset.stamp ?? part.innerHTML) !== (now.dataset.stamp ?? now.innerHTML)) replace(part, now);
  }
  const row = at && document.getElementById(at);
  if (row && !active.isConnected) ((key && one(`[data-row-key="${key}"]`, row)) || one("a.main", row)).focus();
}

// A part stays the same element, so that the current row and what is open inside it are kept.
function replace(part, now) {
  const folded = new Map(all("details[id]", part).map((details) => [details.id, details.open]));
  const chosen = one("input[name=item]", part)?.checked;
  part.replaceChildren(...now.childNodes);
  if (now.dataset.stamp) part.dataset.stamp = now.dataset.stamp;
  for (const details of all("details[id]", part)) if (folded.has(details.id)) details.open = folded.get(details.id);
  if (chosen && one("input[name=item]", part)) one("input[name=item]", part).checked = true;
  htmx.process(part);
}

// Rows came or went (a filter keeps only some): the whole list is renewed, with the phases open as they were.
function replaceList(fresh) {
  const list = one("#checklist");
  const open = all("details.phase", list).map((phase) => phase.open);
  list.replaceChildren(...one("#checklist", fresh).childNodes);
  all("details.phase", list).forEach((phase, index) => (phase.open = open[index] ?? phase.open));
  htmx.process(list);
}

// --- Looking every five seconds whether somebody, or a worker, changed something ---

setInterval(async () => {
  const live = one("#live");
  if (!live || document.hidden || one("dialog[open]")) return;
  const answer = await fetch(live.dataset.live, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.ok && answer.headers.get("content-type")?.startsWith("application/json")) {
    const { stamp } = await answer.json();
    if (stamp !== live.dataset.stamp) renew();
  }
}, 5000);
