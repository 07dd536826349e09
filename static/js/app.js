// What every page does in the browser: theme, copying, dialogs, confirmations, toasts, file drops, times that stay true.
// Everything works by attributes on the markup; without this file pages still read, and forms still send.

const root = document.documentElement;
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Not kept then: the choice holds for this page.
  }
}

// --- Toasts: a line at the edge, read out politely ---

export function toast(text, tone = "bad") {
  const copy = one(`#toast-${tone === "bad" ? "bad" : "ok"}`).content.cloneNode(true);
  one("[data-text]", copy).textContent = text;
  one("#toasts").append(copy);
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".toast, .notice")?.remove();
});

// --- htmx: refusals arrive as a toast, wherever the answer was meant to go ---

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (new URL(xhr.responseURL || location.href).pathname.startsWith("/accounts/login")) {
    event.detail.shouldSwap = false;
    location.reload(); // the session has ended: sign in, and come back here
  } else if (xhr.responseText.includes("data-problem")) {
    Object.assign(event.detail, { target: one("#toasts"), swapOverride: "beforeend", shouldSwap: true, isError: false });
  } else if (xhr.status >= 400 && xhr.status !== 422) {
    const id = xhr.getResponseHeader("Request-Id");
    toast(`The server could not do this (${xhr.status}). Nothing was changed.${id ? ` Request ${id}.` : ""}`);
  }
});
document.addEventListener("htmx:sendError", () => toast("The server did not answer. Nothing was changed; try again."));
document.addEventListener("htmx:afterSettle", (event) => {
  enliven(event.target);
  // What is shown is newer than the page: forms that say which revision was seen say this one.
  const { revision } = event.target.dataset;
  if (revision) for (const input of all("input[name=revision]")) input.value = revision;
});

// Passkeys at sign-in and in the account's pages are allauth's script: its refusals become toasts too.
document.addEventListener("allauth.error", (event) => {
  const { name } = event.detail.exception;
  toast(name === "NotAllowedError" ? "The passkey was not used: cancelled, or timed out." : `The passkey could not be used (${name}).`);
});

// --- Copy ---

async function textOf(button) {
  if (!button.dataset.copyFrom) return button.dataset.copy || one("pre, code, textarea", button.parentElement).textContent;
  const answer = await fetch(button.dataset.copyFrom, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(answer.status);
  return JSON.stringify(await answer.json(), null, 2);
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  try {
    const text = await textOf(button);
    await navigator.clipboard.writeText(text);
  } catch {
    toast("The browser did not let us copy. Select the text instead.");
    return;
  }
  button.dataset.copied = "";
  one("#said").textContent = "Copied.";
  setTimeout(() => delete button.dataset.copied, 1600);
});

// --- Theme ---

function showTheme() {
  for (const button of all("[data-theme-choice]"))
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (root.dataset.theme || "system")));
}
document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-theme-choice]")?.dataset.themeChoice;
  if (!choice) return;
  if (choice === "system") delete root.dataset.theme;
  else root.dataset.theme = choice;
  remember("readiness-theme", choice === "system" ? null : choice);
  showTheme();
  document.dispatchEvent(new Event("themechange"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));

// --- Dialogs, and questions before what cannot be taken back ---

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    one("[popover]:popover-open")?.hidePopover();
    one(`#${opener.dataset.dialog}`).showModal();
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  if (event.target.matches("dialog")) event.target.close(); // the backdrop
  if (event.target.closest("[aria-disabled=true]")) event.preventDefault();
});

function ask(question, label, then) {
  const dialog = one("#confirm");
  one("[data-text]", dialog).textContent = question;
  one("[value=yes]", dialog).textContent = label || "Continue";
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && then(), { once: true });
  dialog.showModal();
}
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  const asker = submitter?.dataset.confirm ? submitter : form.dataset.confirm ? form : null;
  if (submitter?.getAttribute("aria-disabled") === "true") event.preventDefault();
  else if (asker && !form.confirmed) {
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(asker.dataset.confirm, asker.dataset.confirmLabel, () => {
      form.confirmed = true;
      form.requestSubmit(submitter);
      form.confirmed = false;
    });
  }
}, true);
document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question, event.target.dataset.confirmLabel, () => event.detail.issueRequest(true));
});

// --- Files: chosen, dropped or pasted ---

function showFiles(input) {
  const output = one("output", input.closest("[data-drop]"));
  if (output) output.textContent = [...input.files].map((file) => file.name).join(", ");
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-drop] input[type=file]")) showFiles(event.target);
  if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]])
  document.addEventListener(name, (event) => event.target.closest?.("[data-drop]")?.toggleAttribute("data-over", over));
document.addEventListener("paste", (event) => {
  const input = one("dialog[open] [data-drop] input[type=file]") || one("[data-drop] input[type=file]");
  if (!input || !event.clipboardData.files.length) return;
  input.files = event.clipboardData.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

// --- Relative times, kept true while the page stays open ---

const words = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const steps = [[60, "second"], [60, "minute"], [24, "hour"], [7, "day"], [4.35, "week"], [12, "month"], [Infinity, "year"]];
export function relative(date, now = Date.now()) {
  let amount = (date - now) / 1000;
  if (Math.abs(amount) < 45) return amount > 0 ? "in a moment" : "just now";
  for (const [size, unit] of steps) {
    if (Math.abs(Math.round(amount)) < size) return words.format(Math.round(amount), unit);
    amount /= size;
  }
}
setInterval(() => {
  for (const time of all("time[data-when]")) time.textContent = relative(Date.parse(time.dateTime));
}, 30000);

// --- What has just come in ---

// On a phone the tabs are wider than the window: the open one is moved into it.
function showTab(tabs) {
  const open = one("[aria-current]", tabs);
  if (!open) return;
  const [outer, inner] = [tabs.getBoundingClientRect(), open.getBoundingClientRect()];
  if (inner.right > outer.right) tabs.scrollLeft += inner.right - outer.right + 16;
}

function enliven(from) {
  for (const tabs of all(".tabs", from)) showTab(tabs);
  for (const input of all("[data-drop] input[type=file]", from)) if (input.files.length) showFiles(input);
  showTheme();
}
enliven(document);
document.fonts.ready.then(() => all(".tabs").forEach(showTab)); // our letters are wider than those shown before them
