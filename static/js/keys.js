// The keyboard: command palette (Ctrl-K), help (?), single letters. The letters can be switched off (WCAG 2.1.4).

const root = document.documentElement;
const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// --- Command palette: the pages there are, and searches that take what was typed ---

const palette = one("#palette");
const box = palette && one("input", palette);
const list = palette && one("[role=listbox]", palette);
const links = JSON.parse(one("#palette-links")?.textContent || "[]");

function fill() {
  const typed = box.value.trim().toLowerCase();
  const parts = typed.split(/\s+/);
  const named = links.filter(
    (link) => !link.url.includes("{q}") && parts.every((part) => `${link.label} ${link.hint}`.toLowerCase().includes(part)),
  );
  // Pages that have the words in their name come before searches for them.
  const found = [...named, ...links.filter((link) => typed && link.url.includes("{q}"))];
  list.replaceChildren(
    ...found.slice(0, 12).map((link, index) => {
      const option = document.createElement("li");
      option.id = `palette-${index}`;
      option.setAttribute("role", "option");
      option.dataset.url = link.url.replace("{q}", encodeURIComponent(box.value.trim()));
      const label = document.createElement("span");
      label.textContent = link.url.includes("{q}") ? `${link.label} “${box.value.trim()}”` : link.label;
      const hint = document.createElement("small");
      hint.textContent = link.hint;
      option.append(label, hint);
      return option;
    }),
  );
  one(".none", palette).hidden = found.length > 0;
  select(0);
}
function select(index) {
  const options = all("[role=option]", list);
  const chosen = options[(index + options.length) % options.length];
  for (const option of options) option.setAttribute("aria-selected", String(option === chosen));
  box.setAttribute("aria-activedescendant", chosen?.id || "");
  chosen?.scrollIntoView({ block: "nearest" });
}
if (palette) {
  palette.addEventListener("toggle", () => palette.open && fill());
  box.addEventListener("input", fill);
  box.addEventListener("keydown", (event) => {
    const options = all("[role=option]", list);
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") select(at + 1);
    else if (event.key === "ArrowUp") select(at - 1);
    else if (event.key === "Enter" && options[at]) location.assign(options[at].dataset.url);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) location.assign(option.dataset.url);
  });
}

// --- Rows: j and k walk; a letter acts on the row (data-row-key), else on what carries it anywhere (data-key) ---

let current = null;
document.addEventListener("focusin", (event) => mark(event.target.closest("[data-row]") || current));
function mark(row) {
  if (row === current) return;
  current?.removeAttribute("data-current");
  current = row;
  current?.setAttribute("data-current", "");
}
function step(by) {
  const rows = all("[data-row]").filter((row) => row.checkVisibility());
  if (!rows.length) return;
  const at = rows.indexOf(current);
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by))];
  mark(row);
  (one("a.main, a, button", row) || row).focus();
}

let going = false; // "g" was pressed: the next letter names a page
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && palette) {
    event.preventDefault();
    box.value = "";
    if (!palette.open) palette.showModal();
    fill();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (root.dataset.keys === "off" || one("dialog[open]") || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const { key } = event;
  const wasGoing = going;
  going = key === "g" && !wasGoing;
  if (wasGoing && key.length === 1) press(`[data-go="${CSS.escape(key)}"]`, event);
  else if (key === "?") one("#help").showModal();
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (key === "/") press("[data-key='/']", event);
  else if (/^[a-z]$/.test(key)) {
    const own = current?.isConnected && one(`[data-row-key="${key}"]`, current);
    if (own) {
      event.preventDefault();
      own.click();
    } else press(`[data-key="${key}"]`, event);
  }
});
function press(selector, event) {
  const target = all(selector).find((it) => it.checkVisibility());
  if (!target) return false;
  event.preventDefault();
  if (target.matches("input, textarea, [aria-disabled=true]")) target.focus();
  else target.click();
  return true;
}

// --- The switch for the letters, in the help dialog ---

const letters = one("[data-keys-switch]");
if (letters) {
  letters.checked = root.dataset.keys !== "off";
  letters.addEventListener("change", () => {
    if (letters.checked) delete root.dataset.keys;
    else root.dataset.keys = "off";
    try {
      localStorage.setItem("readiness-keys", letters.checked ? "on" : "off");
    } catch {
      // Not kept then.
    }
  });
}
