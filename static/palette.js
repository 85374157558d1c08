// The palette (⌘K): pages are there at once, ids, views and values to filter by come from the gateway while one types.
let asked = 0;
let last = null;

const dialog = () => document.getElementById("palette");
const items = () => [...dialog().querySelectorAll(".menu-item:not([hidden])")];

export function openPalette() {
  const place = dialog();
  if (!place || place.open) return;
  place.showModal();
  place.querySelector("input[name=q]").select();
  last = null;
  show();
}

function show() {
  const place = dialog();
  const text = place.querySelector("input[name=q]").value.trim();
  place.querySelector("[data-palette-text]").textContent = text ? `“${text}”` : "this text";
  for (const link of place.querySelectorAll("a.menu-item:not([data-palette-found] *)"))
    link.hidden = text !== "" && !link.textContent.toLowerCase().includes(text.toLowerCase());
  place.querySelector("[data-palette-pages]").hidden = !place.querySelector("a.menu-item:not([hidden], [data-palette-found] *)");
  activate(items()[0]);
  clearTimeout(asked);
  asked = setTimeout(() => ask(text), text ? 120 : 0);
}

async function ask(text) {
  if (text === last) return;
  last = text;
  const found = dialog().querySelector("[data-palette-found]");
  const answer = await fetch(`${found.dataset.from}?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok || text !== last) return;
  const at = items().findIndex((item) => item.classList.contains("is-active"));
  found.innerHTML = await answer.text();
  const first = found.querySelector("a.menu-item");
  const isId = first && /^(Request|Trace) /.test(first.textContent.trim());
  activate(isId ? first : items()[Math.max(0, at)]);
}

function activate(item) {
  for (const other of dialog().querySelectorAll(".menu-item")) other.classList.toggle("is-active", other === item);
  item?.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = items();
  const at = all.findIndex((item) => item.classList.contains("is-active"));
  activate(all[(at + step + all.length) % all.length]);
}

export function startPalette() {
  const place = dialog();
  if (!place) return;
  place.addEventListener("input", show);
  place.addEventListener("click", (event) => { if (event.target === place) place.close(); });
  place.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    }
    const active = place.querySelector(".menu-item.is-active");
    if (event.key === "Enter" && active?.matches("a")) {
      event.preventDefault();
      active.click();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "k" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      openPalette();
    }
  });
}
