// The list of requests and the page of one by keyboard and by click. The keys are those of templates/_help.html.
import { openHelp } from "./actions.js";
import { toggleLive } from "./live.js";

const rows = () => [...document.querySelectorAll("tr[data-row]")];
const selected = () => document.querySelector("tr[data-row][aria-selected=true]");
const holder = () => document.getElementById("peek");

function setPeek(id) {
  const url = new URL(location.href);
  if (id) url.searchParams.set("peek", id);
  else url.searchParams.delete("peek");
  history.replaceState(history.state, "", url);
}

function select(row) {
  selected()?.removeAttribute("aria-selected");
  row?.setAttribute("aria-selected", "true");
  row?.scrollIntoView({ block: "nearest" });
}

function open(row) {
  select(row);
  const place = holder();
  if (!place || matchMedia("(max-width: 1100px)").matches) return void (location.href = row.dataset.href);
  document.getElementById("list").classList.add("with-peek");
  setPeek(row.dataset.row);
  htmx.ajax("GET", row.dataset.peek, { target: "#peek", swap: "innerHTML" });
}

function close() {
  const place = holder();
  if (!place?.firstElementChild) return select(null);
  place.replaceChildren();
  document.getElementById("list").classList.remove("with-peek");
  setPeek(null);
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(selected());
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  if (holder()?.firstElementChild) open(next);
  else select(next);
}

const keys = {
  j: () => move(1),
  k: () => move(-1),
  Enter: () => {
    const row = selected();
    if (!row) return false;
    if (holder()?.firstElementChild) location.href = row.dataset.href;
    else open(row);
  },
  Escape: close,
  "/": () => document.getElementById("filter")?.focus(),
  n: () => follow("older-page"),
  p: () => follow("newer-page"),
  l: () => toggleLive(),
};

const keysOfPage = {
  j: () => follow("older"),
  k: () => follow("newer"),
  "/": () => document.querySelector("[data-find]")?.focus() ?? false,
  Escape: () => follow("to-list"),
};

const keysOfAll = {
  f: () => {
    const menu = document.getElementById("add-filter")?.parentElement;
    if (!menu) return false;
    menu.open = true;
    menu.querySelector("[data-menu-find]").focus();
  },
  "?": openHelp,
};

function follow(id) {
  const link = document.getElementById(id);
  if (!link) return false;
  link.click();
}

function actionOf(key) {
  const own = document.getElementById("list") ? keys : document.getElementById("content") ? keysOfPage : { "/": keys["/"] };
  return own[key] ?? keysOfAll[key];
}

export function keepSelection() {
  const id = new URL(location.href).searchParams.get("peek");
  if (id) document.querySelector(`tr[data-row="${CSS.escape(id)}"]`)?.setAttribute("aria-selected", "true");
}

export function startList() {
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
    const field = event.target.closest("input, textarea, select, [contenteditable]");
    if (field && !field.matches("[type=checkbox]")) {
      if (event.key === "Escape") field.blur();
      return;
    }
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const action = actionOf(event.key);
    if (action && action() !== false) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close-peek]")) {
      event.preventDefault();
      return close();
    }
    const step = event.target.closest("[data-peek-step]");
    if (step) return move(Number(step.dataset.peekStep));
    const row = event.target.closest("tr[data-row], tr[data-href]");
    if (!row || event.defaultPrevented || event.target.closest("button, input, summary") || getSelection().toString()) return;
    const link = event.target.closest("a");
    if (event.metaKey || event.ctrlKey || event.shiftKey) return link ? undefined : void window.open(row.dataset.href);
    if (link && !link.closest("[data-row-link]")) return;
    event.preventDefault();
    if (row.dataset.row) open(row);
    else location.href = row.dataset.href;
  });
  document.addEventListener("htmx:afterSettle", keepSelection);
}
