// The live tail: the gateway says that there are new rows, the list asks for itself again. At its top they enter,
// below it "12 new" waits there. Rows come from the server as always; nothing is made out of an event.
let source = null;
let waiting = 0;
let asked = 0;

const frame = () => document.querySelector("[data-live]");
const isPaused = () => frame()?.dataset.paused === "true";
const isAtTop = () => scrollY < 120 && !document.querySelector("details.drop[open]");

function say() {
  const button = document.querySelector("[data-live-new]");
  if (!button) return;
  button.hidden = waiting === 0;
  button.textContent = `${waiting.toLocaleString("en")} new`;
}

function showNew() {
  const place = frame();
  if (!place) return;
  waiting = 0;
  say();
  const known = new Set([...document.querySelectorAll("tr[data-row]")].map((row) => row.dataset.row));
  htmx.ajax("GET", location.pathname + location.search, { target: "#rows", select: "#rows", swap: "outerHTML" }).then(() => {
    for (const row of document.querySelectorAll("tr[data-row]")) if (!known.has(row.dataset.row)) row.classList.add("is-new");
  });
}

function soon() {
  if (asked) return;
  asked = setTimeout(() => {
    asked = 0;
    if (isAtTop() && !isPaused()) showNew();
    else say();
  }, 1000);
}

function state(text) {
  const label = document.querySelector("[data-live-state]");
  if (label) label.textContent = text;
  document.querySelector(".card-live")?.classList.toggle("is-off", text !== "Live");
}

function listen() {
  source?.close();
  source = null;
  waiting = 0;
  const place = frame();
  if (!place || isPaused()) return state("Paused");
  source = new EventSource(place.dataset.live);
  source.addEventListener("open", () => state("Live"));
  source.addEventListener("error", () => state(source.readyState === EventSource.CLOSED ? "Not live" : "Connecting"));
  const one = () => { waiting += 1; soon(); };
  source.addEventListener("message", one);
  source.addEventListener("request", one);
}

export function startLive() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-live-new]")) {
      scrollTo({ top: 0 });
      showNew();
    }
    const pause = event.target.closest("[data-live-pause]");
    if (pause) {
      frame().dataset.paused = String(!isPaused());
      pause.textContent = isPaused() ? "Resume" : "Pause";
      listen();
      if (!isPaused()) showNew();
    }
  });
  let heard = frame();
  document.addEventListener("htmx:afterSettle", () => { if (frame() !== heard) { heard = frame(); listen(); } });
  if (heard) listen();
}
