// The playground: what is said, to which models, kept as it is said. The state is a talk (gateway/control/conversations.py);
// the page is made of it, never read back.
import { toast } from "./actions.js";
import { booked, converse, messagesOf, settingsOf, tagsOf } from "./playground_call.js";
import { count, money } from "./playground_figures.js";
import { Models } from "./playground_models.js";
import { copyOf, roundElement, showAnswer, showWhileRunning } from "./playground_view.js";

const KEPT = "/api/playground/conversations";
const IMAGE_BYTES = 4 * 1024 * 1024;
const MOST_IMAGES = 4;
const NUMBERS = ["temperature", "max_tokens"];

const root = document.querySelector("[data-playground]");
const part = (name) => root.querySelector(`[data-${name}]`);
const composer = part("composer"), message = part("message"), rounds = part("rounds"), settings = part("settings");

let talk = { models: [], settings: {}, rounds: [] };
let id = root.dataset.conversation;
let version = 0;
let saving = Promise.resolve();
let stopping = null; // an AbortController while models answer
let editing = null; // the round that the next message replaces
let images = [];
const models = new Models(root, () => { talk.models = models.chosen; });

// ------------------------------------------------------------------ kept

async function written() {
  const [url, method] = id ? [`${KEPT}/${id}`, "PATCH"] : [KEPT, "POST"];
  const body = JSON.stringify(id ? { talk, version } : { talk });
  const response = await fetch(url, { method, headers: { "content-type": "application/json" }, body }).catch(() => null);
  const kept = await response?.json().catch(() => null);
  if (!response?.ok) {
    const why = response?.status === 409 ? "it was changed in another window; load this page again to go on" : kept?.error?.message ?? "the gateway could not be reached";
    return toast(`Not kept: ${why}`, "error");
  }
  version = kept.version;
  if (!id) named(kept);
}

function named(kept) {
  id = kept.id;
  root.dataset.conversation = id;
  history.replaceState(history.state, "", `/playground/${id}`);
  part("talk-title").textContent = kept.title;
  part("rename").action = `/playground/${id}/rename`;
  part("rename").elements.title.value = kept.title;
  part("delete").action = `/playground/${id}/delete`;
  part("manage").hidden = false;
}

// One after the other: each is made from the version that the one before left.
function save() {
  saving = saving.then(written);
  return saving;
}

function showConversations() {
  if (id) htmx.ajax("GET", `/playground/${id}`, { source: "#talks", target: "#talks", select: "#talks", swap: "outerHTML" });
}

// ------------------------------------------------------------------ shown

function showTotal() {
  const answers = talk.rounds.flatMap((round) => round.answers);
  const sum = (name) => answers.reduce((total, each) => total + (each[name] ?? 0), 0);
  const tokens = sum("input_tokens") + sum("output_tokens");
  part("total").textContent = tokens ? `${count(tokens)} tokens · ${answers.some((each) => each.cost_nanousd != null) ? money(sum("cost_nanousd")) : "unpriced"}` : "";
}

function showRounds() {
  rounds.replaceChildren(...talk.rounds.map(roundElement));
  part("empty").hidden = talk.rounds.length > 0;
  showTotal();
}

function isAtEnd() {
  return innerHeight + scrollY >= document.documentElement.scrollHeight - 120;
}

function followed(change) {
  const follow = isAtEnd();
  change();
  if (follow) scrollTo({ top: document.documentElement.scrollHeight });
}

function showRunning() {
  part("stop-all").hidden = stopping === null;
  part("send").hidden = stopping !== null;
}

function showImages() {
  part("attached").hidden = images.length === 0;
  part("attached").replaceChildren(...images.map((source, at) => {
    const element = copyOf("image");
    element.querySelector("img").src = source;
    element.querySelector("[data-image-drop]").addEventListener("click", () => {
      images.splice(at, 1);
      showImages();
    });
    return element;
  }));
}

// ------------------------------------------------------------------ settings

function fillSettings() {
  for (const field of settings.querySelectorAll("[name]")) field.value = talk.settings[field.name] ?? (field.name === "answer_format" ? "text" : "");
  readSettings();
}

function readSettings() {
  talk.settings = {};
  for (const field of settings.querySelectorAll("[name]")) {
    if (field.value.trim() === "") continue;
    talk.settings[field.name] = NUMBERS.includes(field.name) ? Number(field.value) : field.value;
  }
  settings.querySelector("[data-schema]").hidden = talk.settings.answer_format !== "json_schema";
  const changed = Object.keys(talk.settings).filter((name) => talk.settings[name] !== "text" && (name !== "schema" || talk.settings.answer_format === "json_schema"));
  part("settings-words").textContent = changed.length ? `Parameters · ${changed.length}` : "Parameters";
}

function openSettings(isOpen) {
  settings.hidden = !isOpen;
  part("settings-toggle").setAttribute("aria-expanded", isOpen);
}

// What was typed as JSON and is none is said beside it.
function requestSettings() {
  for (const place of settings.querySelectorAll("[data-problem]")) {
    place.textContent = "";
    place.closest(".field").removeAttribute("data-tone");
  }
  try {
    return settingsOf(talk.settings);
  } catch (problem) {
    openSettings(true);
    const field = settings.querySelector(problem.message.startsWith("Tools") ? "[name=tools]" : "[name=schema]");
    field.closest(".field").dataset.tone = "error";
    field.closest(".field").querySelector("[data-problem]").textContent = problem.message;
    field.focus();
    return null;
  }
}

// ------------------------------------------------------------------ asked

function blankAnswer(model) {
  return {
    model, text: "", reasoning: "", tools: [], error: "", is_stopped: false, request_id: null, served_by: null,
    finish_reason: null, input_tokens: null, output_tokens: null, cost_nanousd: null, latency_ms: null, ttft_ms: null,
  };
}

async function ask(answer, element, at, added) {
  const messages = messagesOf(talk, at, answer.model);
  const running = { began: performance.now(), price: models.priceOf(answer.model), asked: messages.map((each) => JSON.stringify(each.content)).join("") };
  const shown = showWhileRunning(element, answer, running);
  const request = { model: answer.model, messages, ...added };
  const changed = () => {
    running.price ??= models.priceOf(answer.served_by);
    followed(shown.changed);
  };
  await converse(answer, { request, conversation: id || null, tags: tagsOf(talk.settings.tags ?? ""), signal: stopping.signal, changed });
  followed(shown.ended);
  if (answer.is_stopped && answer.request_id && id) {
    booked(answer, id).then((found) => {
      if (!found) return;
      showAnswer(element, answer);
      showTotal();
      save();
    });
  }
}

// The answers `which` of a round are asked for, all at once.
async function answerRound(at, which) {
  const added = requestSettings();
  if (added === null) return;
  stopping = new AbortController();
  showRunning();
  await save();
  const places = rounds.children[at].querySelectorAll("[data-answer]");
  const answers = talk.rounds[at].answers;
  await Promise.all(which.map((index) => ask(answers[index], places[index], at, added)));
  stopping = null;
  showRunning();
  showTotal();
  const failed = which.filter((index) => answers[index].error).length;
  part("say").textContent = failed ? `${failed} of ${which.length} answers failed` : `${which.length === 1 ? "The answer is" : `${which.length} answers are`} there`;
  await save();
  showConversations();
}

function hasToolResults() {
  return talk.rounds.at(-1)?.answers.some((each) => each.tools?.some((tool) => tool.result)) ?? false;
}

function send() {
  const text = message.value.trim();
  if (stopping || (!text && !images.length && !hasToolResults())) return;
  if (!models.chosen.length) return toast("Choose a model first", "warning");
  if (requestSettings() === null) return;
  talk.models = models.chosen;
  if (editing !== null) talk.rounds.length = editing;
  talk.rounds.push({ text, images, answers: models.chosen.map(blankAnswer) });
  message.value = "";
  images = [];
  edit(null);
  showImages();
  showRounds();
  scrollTo({ top: document.documentElement.scrollHeight });
  answerRound(talk.rounds.length - 1, models.chosen.map((_, index) => index));
}

// What follows an answer was said because of it, so that it goes with it.
function again(at, index) {
  if (stopping || requestSettings() === null) return;
  talk.rounds.length = at + 1;
  talk.rounds[at].answers[index] = blankAnswer(talk.rounds[at].answers[index].model);
  showRounds();
  answerRound(at, [index]);
}

function edit(at) {
  editing = at;
  part("editing").hidden = at === null;
  if (at === null) return;
  const after = talk.rounds.length - at - 1;
  part("editing-words").textContent = after ? `Sending replaces this message and the ${after === 1 ? "one" : after} after it.` : "Sending replaces this message.";
  message.value = talk.rounds[at].text;
  images = [...(talk.rounds[at].images ?? [])];
  showImages();
  message.focus();
}

// ------------------------------------------------------------------ images

function read(file) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(file);
  });
}

async function attach(files) {
  for (const file of files) {
    if (!/^image\/(png|jpeg|gif|webp)$/.test(file.type)) toast(`${file.name} is no PNG, JPEG, GIF or WebP`, "error");
    else if (file.size > IMAGE_BYTES) toast(`${file.name} is larger than 4 MB`, "error");
    else if (images.length >= MOST_IMAGES) toast(`A message takes ${MOST_IMAGES} images`, "error");
    else images.push(await read(file));
  }
  showImages();
}

// ------------------------------------------------------------------ heard

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
message.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
message.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) attach(event.clipboardData.files);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (stopping) stopping.abort();
  else if (editing !== null) edit(null);
});
settings.addEventListener("input", readSettings);
part("settings-toggle").addEventListener("click", () => openSettings(settings.hidden));
part("stop-all").addEventListener("click", () => stopping?.abort());
part("edit-cancel").addEventListener("click", () => {
  edit(null);
  message.value = "";
  images = [];
  showImages();
});
part("attach").addEventListener("change", ({ target }) => {
  attach(target.files).then(() => { target.value = ""; });
});
part("empty").addEventListener("click", ({ target }) => {
  if (!target.matches("[data-starter]")) return;
  message.value = target.textContent;
  message.focus();
});
rounds.addEventListener("click", ({ target }) => {
  const round = target.closest("[data-round]");
  if (!round || stopping) return;
  const at = [...rounds.children].indexOf(round);
  if (target.closest("[data-edit]")) edit(at);
  if (target.closest("[data-again]")) again(at, [...round.querySelectorAll("[data-answer]")].indexOf(target.closest("[data-answer]")));
});
document.querySelector("[data-talks-toggle]").addEventListener("click", ({ currentTarget }) => {
  currentTarget.setAttribute("aria-expanded", document.getElementById("talks").classList.toggle("is-open"));
});
addEventListener("beforeunload", (event) => { if (stopping) event.preventDefault(); });

async function open() {
  if (id) {
    const response = await fetch(`${KEPT}/${id}`);
    if (!response.ok) return toast("This conversation could not be read; load the page again", "error");
    const kept = await response.json();
    version = kept.version;
    talk = { models: kept.talk.models ?? [], settings: kept.talk.settings ?? {}, rounds: (kept.talk.rounds ?? []).map(whole) };
    showRounds();
  }
  fillSettings();
  await models.load(talk.models);
  root.dataset.ready = "";
}

// The store leaves out what says nothing.
function whole(round) {
  return { text: round.text, images: round.images ?? [], answers: (round.answers ?? []).map((each) => ({ ...blankAnswer(each.model), ...each, tools: (each.tools ?? []).map((tool) => ({ result: "", ...tool })) })) };
}

open();
if (matchMedia("(min-width: 721px)").matches) message.focus({ preventScroll: true });
