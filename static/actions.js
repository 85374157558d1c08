// Buttons that are not links: theme, density, nav, palette, tables of charts, copying; and menus that close by themselves.
import { openPalette } from "./palette.js";

const root = document.documentElement;

function remember(key, value) {
  root.dataset[key] = value;
  localStorage.setItem(`callgate.${key}`, value);
}

export function toast(text, tone = "info") {
  const element = document.createElement("div");
  element.className = "toast";
  element.dataset.tone = tone;
  element.textContent = text;
  document.getElementById("toasts").append(element);
  if (tone !== "error") setTimeout(() => element.remove(), 5000);
}

async function copy(button) {
  let text = button.dataset.copy;
  if (button.dataset.copyFrom) {
    const answer = await fetch(button.dataset.copyFrom);
    if (!answer.ok) return toast(`Not copied: the gateway answered ${answer.status}`, "error");
    text = await answer.text();
  }
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return toast("Not copied: the browser allows it only on https and localhost", "error");
  }
  const use = button.querySelector("use");
  const icon = use.getAttribute("href");
  use.setAttribute("href", icon.replace(/#.*/, "#check"));
  const label = button.getAttribute("aria-label");
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => { use.setAttribute("href", icon); button.setAttribute("aria-label", label); }, 1500);
}

export function openHelp() {
  document.getElementById("help")?.showModal();
}

const actions = {
  density: () => remember("density", root.dataset.density === "compact" ? "comfortable" : "compact"),
  nav: () => remember("nav", root.dataset.nav === "icons" ? "wide" : "icons"),
  palette: openPalette,
  help: openHelp,
  "as-table": (button) => {
    const isTable = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", isTable);
    button.textContent = isTable ? "As chart" : "As table";
    document.getElementById(button.getAttribute("aria-controls")).parentElement.classList.toggle("is-table", isTable);
  },
  unfold: (button) => {
    const whole = button.closest("[data-fold]");
    for (const details of whole.querySelectorAll("details")) details.open = button.dataset.open !== "true";
    button.dataset.open = button.dataset.open !== "true";
  },
};

function find(input) {
  const whole = input.closest("[data-fold]");
  const wanted = input.value.trim().toLowerCase();
  for (const mark of whole.querySelectorAll("mark")) mark.replaceWith(...mark.childNodes);
  whole.normalize();
  let found = 0;
  const walker = document.createTreeWalker(whole.querySelector("[data-find-in]"), NodeFilter.SHOW_TEXT);
  const hits = [];
  while (wanted && walker.nextNode()) if (walker.currentNode.data.toLowerCase().includes(wanted)) hits.push(walker.currentNode);
  for (let node of hits.slice(0, 500)) {
    for (let parent = node.parentElement; parent && parent !== whole; parent = parent.parentElement)
      if (parent.matches("details")) parent.open = true;
    for (let at; (at = node.data.toLowerCase().indexOf(wanted)) >= 0; ) {
      const hit = node.splitText(at);
      node = hit.splitText(wanted.length);
      const mark = document.createElement("mark");
      hit.replaceWith(mark);
      mark.append(hit);
      found += 1;
    }
  }
  if (whole.dataset.findFrom) findInAll(whole, input.value.trim());
  else whole.querySelector("[data-found]").textContent = wanted ? `${found} found` : "";
  whole.querySelector("mark")?.scrollIntoView({ block: "nearest" });
}

let searched = 0;

function findInAll(whole, wanted) {
  const place = whole.querySelector("[data-hits]");
  const said = whole.querySelector("[data-found]");
  clearTimeout(searched);
  if (!wanted) {
    place.replaceChildren();
    said.textContent = "";
    return;
  }
  searched = setTimeout(async () => {
    const answer = await fetch(`${whole.dataset.findFrom}?find=${encodeURIComponent(wanted)}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok) return;
    place.innerHTML = await answer.text();
    said.textContent = `${Number(place.querySelector("[data-found-total]").dataset.foundTotal).toLocaleString("en")} found`;
  }, 250);
}

function filterMenu(input) {
  const wanted = input.value.trim().toLowerCase();
  const menu = input.closest("[data-menu]");
  let shown = 0;
  for (const part of menu.querySelectorAll(":scope > .menu-sub")) {
    part.hidden = wanted !== "" && !part.querySelector("summary").textContent.toLowerCase().includes(wanted);
    shown += !part.hidden;
  }
  menu.querySelector("[data-menu-none]").hidden = shown > 0;
}

function showLocalZone() {
  const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const link of document.querySelectorAll("[data-action=local-zone]")) {
    if (!local || local === "UTC" || link.dataset.zone === local) continue;
    const url = new URL(link.href);
    url.searchParams.set("zone", local);
    link.href = url;
    link.lastChild.textContent = `Show in ${local}`;
    link.hidden = false;
  }
}

export function startActions({ themeChanged }) {
  actions.theme = () => {
    const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    remember("theme", dark ? "light" : "dark");
    themeChanged();
  };
  actions.print = () => print();
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.drop[open]")) if (!open.contains(event.target)) open.open = false;
    const button = event.target.closest("[data-copy], [data-copy-from], [data-action]");
    if (!button) return;
    if (button.dataset.copy !== undefined || button.dataset.copyFrom) return void copy(button);
    const action = actions[button.dataset.action];
    if (!action) return;
    if (button.matches("a")) event.preventDefault();
    action(button);
  });
  document.addEventListener("input", (event) => { 
    if (event.target.matches("[data-find]")) find(event.target);
    if (event.target.matches("[data-menu-find]")) filterMenu(event.target);
  });
  document.addEventListener("submit", (event) => {
    const button = event.target.closest("form[data-busy]")?.querySelector("button");
    if (button) button.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => { for (const button of document.querySelectorAll("form[data-busy] button")) button.removeAttribute("aria-busy"); });
  document.addEventListener("keydown", (event) => {
    const open = document.querySelector("details.drop[open]");
    if (event.key === "Escape" && open) {
      open.open = false;
      open.querySelector("summary").focus();
      event.stopImmediatePropagation();
    }
  });
  document.addEventListener("htmx:afterSettle", showLocalZone);
  showLocalZone();
}
