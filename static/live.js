// The live tail: the gateway says that there are new rows, the list asks for its rows again. At its top they enter,
// below it "12 new" waits there. Rows come from the server as always; nothing is made out of an event. Calls in flight
// are no events: they are asked for while somebody watches.
import { toast } from "./actions.js";

const FLIGHT_MS = 1500;
let source = null;
let waiting = 0;
let asked = 0;
let paused = false;

const frame = () => document.querySelector("[data-live]");
const isAtTop = () => scrollY < 120 && !document.querySelector("details.drop[open], dialog[open], .col-grip.is-held");

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
  htmx.ajax("GET", place.dataset.rowsFrom, { source: "#rows", target: "#rows", swap: "outerHTML" }).then(() => {
    for (const row of document.querySelectorAll("tr[data-row]")) if (!known.has(row.dataset.row)) row.classList.add("is-new");
  });
}

function soon() {
  if (asked) return;
  asked = setTimeout(() => {
    asked = 0;
    if (isAtTop() && !paused) showNew();
    else say();
  }, 1000);
}

function state(text) {
  const label = document.querySelector("[data-live-state]");
  if (label && label.textContent !== text) label.textContent = text;
  document.querySelector(".card-live")?.classList.toggle("is-off", text !== "Live");
  const button = document.querySelector("[data-live-pause]");
  if (button) button.textContent = paused ? "Resume" : "Pause";
}

function listen() {
  source?.close();
  source = null;
  waiting = 0;
  const place = frame();
  if (!place || paused) return state("Paused");
  const own = source = new EventSource(place.dataset.live);
  source.addEventListener("open", () => state("Live"));
  source.addEventListener("error", () => state(own.readyState === EventSource.CLOSED ? "Not live" : "Connecting"));
  source.addEventListener("request", () => { waiting += 1; soon(); });
  source.addEventListener("gap", () => { waiting += 1; soon(); });
}

export function toggleLive() {
  if (!frame()) return false;
  paused = !paused;
  listen();
  if (!paused) showNew();
}

function askFlight() {
  const place = document.getElementById("in-flight");
  if (!place || !frame() || paused || document.hidden || place.matches(":focus-within")) return;
  htmx.ajax("GET", place.dataset.inFlight, { source: "#in-flight", target: "#in-flight", swap: "innerHTML" });
}

async function stop(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  const answer = await fetch(form.action, { method: "POST", headers: { "HX-Request": "true" } });
  if (answer.ok) {
    form.closest("tr").remove();
    toast("Stopped. It is booked with what it used.");
  } else {
    button.disabled = false;
    toast(answer.status === 404 ? "It is over already" : `Not stopped: the gateway answered ${answer.status}`, "error");
  }
}

export function startLive() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-live-new]")) {
      scrollTo({ top: 0 });
      showNew();
    }
    if (event.target.closest("[data-live-pause]")) toggleLive();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-stop]");
    if (!form) return;
    event.preventDefault();
    stop(form);
  });
  addEventListener("pagehide", () => source?.close());
  let heard = frame();
  document.addEventListener("htmx:afterSettle", () => { if (frame() !== heard) { heard = frame(); listen(); } });
  if (heard) listen();
  setInterval(askFlight, FLIGHT_MS);
}
