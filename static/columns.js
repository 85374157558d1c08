// Columns: which and in which order is in the URL and, remembered, in a cookie for the server's first paint; widths are
// remembered here and put on by one stylesheet, so that they hold through every swap.
import { load } from "./swap.js";

const WIDTHS = "callgate.widths";
const COOKIE = "callgate_columns";
const LEAST = 48;
const sheet = new CSSStyleSheet();

const widths = () => JSON.parse(localStorage.getItem(WIDTHS) ?? "{}");
const heads = () => [...document.querySelectorAll("#rows th[data-move]")];

function apply() {
  const rules = Object.entries(widths()).map(([name, px]) =>
    `#rows :is(th, td)[data-col="${CSS.escape(name)}"] { width: ${px}px; min-width: ${px}px; max-width: ${px}px; overflow: hidden; text-overflow: ellipsis; }`);
  sheet.replaceSync(`@media (min-width: 721px) { ${rules.join("\n")} }`);
}

function keep(name, px) {
  const all = widths();
  if (px) all[name] = Math.max(LEAST, Math.round(px));
  else delete all[name];
  localStorage.setItem(WIDTHS, JSON.stringify(all));
  apply();
}

function remember(url) {
  const names = new URL(url, location.href).searchParams.get("cols");
  if (!names) return;
  localStorage.setItem("callgate.columns", names);
  document.cookie = `${COOKIE}=${encodeURIComponent(names)}; path=/requests; max-age=31536000; samesite=lax`;
}

function grips() {
  for (const head of document.querySelectorAll("#rows th[data-col]")) {
    if (head.querySelector(".col-grip")) continue;
    const grip = document.createElement("span");
    grip.className = "col-grip";
    grip.title = "Drag for the width, double-click for the usual one";
    head.append(grip);
    if (head.dataset.move !== undefined) head.draggable = true;
  }
}

function hold(event) {
  const head = event.target.closest("th");
  const start = event.clientX - head.getBoundingClientRect().width;
  const grip = event.target;
  event.preventDefault();
  grip.classList.add("is-held");
  grip.setPointerCapture(event.pointerId);
  const move = (at) => keep(head.dataset.col, at.clientX - start);
  grip.addEventListener("pointermove", move);
  grip.addEventListener("pointerup", () => {
    grip.removeEventListener("pointermove", move);
    grip.classList.remove("is-held");
  }, { once: true });
}

function drop(from, before) {
  const names = heads().map((head) => head.dataset.col).filter((name) => name !== from);
  names.splice(before ? names.indexOf(before) : names.length, 0, from);
  const url = new URL(location.href);
  url.searchParams.set("cols", names.join(","));
  remember(url);
  load(url);
}

export function startColumns() {
  document.adoptedStyleSheets.push(sheet);
  let dragged = "";
  document.addEventListener("pointerdown", (event) => { if (event.target.matches(".col-grip")) hold(event); });
  document.addEventListener("dblclick", (event) => { if (event.target.matches(".col-grip")) keep(event.target.closest("th").dataset.col, 0); });
  document.addEventListener("dragstart", (event) => {
    dragged = event.target.matches?.("th[data-move]") && !event.target.querySelector(".is-held") ? event.target.dataset.col : "";
  });
  document.addEventListener("dragover", (event) => {
    const head = dragged && event.target.closest?.("th[data-move]");
    for (const other of heads()) other.classList.toggle("is-target", other === head);
    if (head) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const head = dragged && event.target.closest?.("th[data-move]");
    if (head && head.dataset.col !== dragged) {
      event.preventDefault();
      drop(dragged, head.dataset.col);
    }
    dragged = "";
  });
  // before the swap of the same click, which then asks for what was remembered
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-cols]");
    if (!link) return;
    if (link.dataset.cols === "usual") {
      localStorage.removeItem(WIDTHS);
      apply();
    }
    remember(link.href);
  }, { capture: true });
  document.addEventListener("htmx:afterSettle", grips);
  grips();
  apply();
}
