// A replay, read while it comes: what it says beside what the original said, then the comparison the gateway made.
import { toast } from "./actions.js";
import { events } from "./events.js";

const CLOCK_MS = 100;

function isReached(response) {
  if (!response.ok || !response.headers.get("content-type")?.startsWith("text/event-stream")) throw new Error(`The gateway answered ${response.status}.`);
}

async function follow(response, place) {
  const text = place.querySelector("[data-replay-text]");
  for await (const { name, data } of events(response.body)) {
    const said = JSON.parse(data);
    if (name === "text") text.textContent = said;
    if (name === "more") text.append(said);
    if (name === "refused") throw new Error(said);
    if (name === "done") return said;
  }
  throw new Error("The answer broke off.");
}

async function replay(form) {
  const place = document.querySelector("[data-replay-live]");
  const result = document.getElementById("replay-result");
  const stopping = new AbortController();
  const began = performance.now();
  const clock = place.querySelector("[data-replay-clock]");
  const tick = setInterval(() => { clock.textContent = `${((performance.now() - began) / 1000).toFixed(1)} s`; }, CLOCK_MS);
  place.querySelector("[data-replay-stop]").onclick = () => stopping.abort();
  place.querySelector("[data-replay-text]").textContent = "";
  result.replaceChildren();
  place.hidden = false;
  try {
    const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/event-stream" }, signal: stopping.signal });
    isReached(response);
    result.innerHTML = await follow(response, place);
    place.hidden = true;
  } catch (problem) {
    if (stopping.signal.aborted) toast("Stopped. It is booked with what it used.");
    else toast(`Not replayed: ${problem.message}`, "error");
    place.hidden = !place.querySelector("[data-replay-text]").textContent;
  }
  clearInterval(tick);
  form.querySelector("button").removeAttribute("aria-busy");
}

export function startReplay() {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-replay]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.replay === "on") return;
    form.dataset.replay = "on";
    replay(form).finally(() => { form.dataset.replay = ""; });
  });
}
