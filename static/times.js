// Times of the list as "26 s ago", where somebody wants them so; the absolute time stays in the title.
const KEY = "callgate.times";
const EVERY_MS = 10_000;
const isRelative = () => localStorage.getItem(KEY) === "relative";

export function ago(ms, now = Date.now()) {
  const s = Math.max(0, Math.floor((now - ms) / 1000));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

export function elapsed(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return `${s.toFixed(1)}s`;
  return `${Math.floor(s / 60)}m ${String(Math.floor(s % 60)).padStart(2, "0")}s`;
}

function show() {
  for (const time of document.querySelectorAll("#rows time[data-time]")) {
    time.dataset.absolute ??= time.textContent;
    const text = isRelative() ? ago(Date.parse(time.dateTime)) : time.dataset.absolute;
    if (time.textContent !== text) time.textContent = text;
  }
  for (const box of document.querySelectorAll("[data-action=relative-times]")) box.checked = isRelative();
  for (const box of document.querySelectorAll("[data-action=compact]")) box.checked = document.documentElement.dataset.density === "compact";
}

export function startTimes() {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-action=relative-times]")) localStorage.setItem(KEY, event.target.checked ? "relative" : "absolute");
    if (event.target.matches("[data-action=compact]")) {
      document.documentElement.dataset.density = event.target.checked ? "compact" : "comfortable";
      localStorage.setItem("callgate.density", document.documentElement.dataset.density);
    }
    show();
  });
  document.addEventListener("htmx:afterSettle", show);
  setInterval(() => { if (isRelative() && !document.hidden) show(); }, EVERY_MS);
  setInterval(() => {
    for (const clock of document.querySelectorAll("[data-since]")) clock.textContent = elapsed(Date.now() - Number(clock.dataset.since));
  }, 200);
  show();
}
