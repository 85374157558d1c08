// A conversation as DOM, made of the templates that the page brings along (templates/components/playground.html). Text
// becomes text; markdown goes through markdown.js.
import { guessedTokens } from "./playground_call.js";
import { count, duration, money } from "./playground_figures.js";
import { layOut, visible } from "./markdown.js";

export function copyOf(name) {
  return document.querySelector(`template[data-template=${name}]`).content.firstElementChild.cloneNode(true);
}

export function roundElement(round) {
  const element = copyOf("round");
  element.querySelector("[data-asked-text]").textContent = visible(round.text);
  const images = element.querySelector("[data-asked-images]");
  images.hidden = !round.images?.length;
  for (const source of round.images ?? []) {
    const image = document.createElement("img");
    image.className = "talk-image";
    image.src = source;
    image.alt = "Attached image";
    images.append(image);
  }
  const blank = element.querySelector("[data-answer]");
  element.querySelector("[data-answers]").replaceChildren(...round.answers.map((answer) => {
    const copy = blank.cloneNode(true);
    showAnswer(copy, answer);
    return copy;
  }));
  return element;
}

function showTools(element, answer) {
  const place = element.querySelector("[data-tools]");
  place.hidden = answer.tools.length === 0;
  answer.tools.forEach((tool, at) => {
    const row = place.children[at] ?? place.appendChild(copyOf("tool"));
    row.querySelector("[data-tool-name]").textContent = visible(tool.name);
    row.querySelector("[data-tool-arguments]").textContent = visible(tool.arguments);
    const result = row.querySelector("[data-tool-result]");
    if (document.activeElement !== result) result.value = tool.result;
    result.oninput = () => { tool.result = result.value; };
  });
  while (place.children.length > answer.tools.length) place.lastElementChild.remove();
}

// `running`: {began, price, asked} while the answer comes; `price` is of 1,000 tokens, `asked` the characters sent.
function figuresOf(answer, running) {
  const found = [];
  const guessed = running && answer.output_tokens === null;
  const tokensIn = answer.input_tokens ?? (running ? guessedTokens(running.asked) : null);
  const tokensOut = answer.output_tokens ?? (guessed ? guessedTokens(answer.text + answer.reasoning) : null);
  const about = guessed ? "≈ " : "";
  if (tokensIn !== null) found.push([`${about}${count(tokensIn)}`, "tokens in"]);
  if (tokensOut !== null) found.push([`${about}${count(tokensOut)}`, "tokens out"]);
  if (answer.cost_nanousd !== null) found.push([money(answer.cost_nanousd), "cost"]);
  else if (running?.price) found.push([`≈ ${money((tokensIn * running.price.input_nanousd + tokensOut * running.price.output_nanousd) / 1000)}`, "cost"]);
  else if (!running && !answer.error) found.push(["unpriced", "cost"]);
  const elapsed = answer.latency_ms ?? (running ? performance.now() - running.began : null);
  if (elapsed !== null) found.push([duration(elapsed), "latency"]);
  if (answer.ttft_ms !== null) found.push([duration(answer.ttft_ms), "first token"]);
  return found;
}

function figure([number, words]) {
  const place = document.createElement("span");
  const unit = document.createElement("span");
  unit.className = "said-unit";
  unit.textContent = words;
  place.append(`${number} `, unit);
  return place;
}

function showFigures(element, answer, running) {
  const place = element.querySelector("[data-figures]");
  const parts = figuresOf(answer, running).map(figure);
  if (answer.is_stopped) {
    const stopped = document.createElement("span");
    stopped.textContent = "stopped";
    parts.unshift(stopped);
  }
  if (answer.request_id) {
    const link = document.createElement("a");
    link.className = "link";
    link.href = `/requests/${encodeURIComponent(answer.request_id)}`;
    link.textContent = "Request";
    parts.push(link);
  }
  place.replaceChildren(...parts);
}

export function showAnswer(element, answer, running = null) {
  element.setAttribute("aria-busy", running !== null);
  const by = answer.served_by && answer.served_by !== answer.model ? ` → ${answer.served_by}` : "";
  element.querySelector("[data-said-model]").textContent = visible(answer.model + by);
  element.querySelector("[data-said-copy]").dataset.copy = answer.text;
  const thought = element.querySelector("[data-thought]");
  thought.hidden = !answer.reasoning;
  thought.querySelector("[data-thought-text]").textContent = visible(answer.reasoning);
  layOut(element.querySelector("[data-said-text]"), answer.text);
  showTools(element, answer);
  element.querySelector("[data-error]").hidden = !answer.error;
  element.querySelector("[data-error-text]").textContent = visible(answer.error);
  showFigures(element, answer, running);
}

// Shows an answer while it comes: at once where that is cheap, less often the longer laying it out takes.
export function showWhileRunning(element, answer, running) {
  let due = 0, took = 0;
  const show = () => {
    const began = performance.now();
    showAnswer(element, answer, running);
    took = performance.now() - began;
    due = 0;
  };
  const ticking = setInterval(() => showFigures(element, answer, running), 200);
  return {
    changed: () => { due ||= setTimeout(show, Math.max(30, took * 4)); },
    ended: () => {
      clearInterval(ticking);
      clearTimeout(due);
      showAnswer(element, answer);
    },
  };
}
