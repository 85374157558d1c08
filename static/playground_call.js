// One call: the request that a conversation makes for one model, and its answer read as it comes.
import { events } from "./events.js";

const TOKEN_CHARACTERS = 4; // a rough guess while it runs; what was used stands in the answer

class Refused extends Error {}

function parsed(text, what) {
  try {
    return JSON.parse(text);
  } catch (problem) {
    throw new Refused(`${what} is not JSON: ${problem.message}`);
  }
}

export function tagsOf(text) {
  return Object.fromEntries(text.split(/[\s,]+/).filter((pair) => pair.indexOf("=") > 0).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

// What the settings add to a request; throws where JSON was typed that is none.
export function settingsOf(settings) {
  const found = {};
  if (settings.temperature != null) found.temperature = settings.temperature;
  if (settings.max_tokens != null) found.max_tokens = settings.max_tokens;
  if (settings.answer_format === "json_object") found.response_format = { type: "json_object" };
  if (settings.answer_format === "json_schema") {
    found.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: parsed(settings.schema || "{}", "The schema") } };
  }
  if (settings.tools?.trim()) found.tools = parsed(settings.tools, "Tools");
  return found;
}

function asked(round) {
  if (!round.images?.length) return round.text;
  const images = round.images.map((url) => ({ type: "image_url", image_url: { url } }));
  return round.text ? [{ type: "text", text: round.text }, ...images] : images;
}

// Each model has its own past: what itself said, or the first who answered where it was not asked.
function pastOf(round, model) {
  const good = (round.answers ?? []).filter((each) => each.text || each.tools?.length);
  return good.find((each) => each.model === model) ?? good[0];
}

export function messagesOf(talk, upTo, model) {
  const messages = [];
  const system = talk.settings.system?.trim();
  if (system) messages.push({ role: "system", content: system });
  talk.rounds.slice(0, upTo + 1).forEach((round, at) => {
    const past = at < upTo ? pastOf(round, model) : null;
    if (at < upTo && !past) return;
    if (round.text || round.images?.length) messages.push({ role: "user", content: asked(round) });
    if (!past) return;
    const said = { role: "assistant", content: past.text || null };
    if (past.tools?.length) said.tool_calls = past.tools.map((tool) => ({ id: tool.id, type: "function", function: { name: tool.name, arguments: tool.arguments } }));
    messages.push(said);
    for (const tool of past.tools ?? []) messages.push({ role: "tool", tool_call_id: tool.id, content: tool.result || "(no result was given)" });
  });
  return messages;
}

export function guessedTokens(text) {
  return Math.ceil(text.length / TOKEN_CHARACTERS);
}

function heard(answer, chunk) {
  if (chunk.error) answer.error = chunk.error.message ?? JSON.stringify(chunk.error);
  if (chunk.usage) {
    answer.input_tokens = chunk.usage.prompt_tokens ?? null;
    answer.output_tokens = chunk.usage.completion_tokens ?? null;
  }
  const choice = chunk.choices?.[0];
  if (!choice) return;
  if (choice.finish_reason) answer.finish_reason = choice.finish_reason;
  const said = choice.delta ?? choice.message ?? {};
  if (typeof said.content === "string") answer.text += said.content;
  const thought = said.reasoning_content ?? said.reasoning;
  if (typeof thought === "string") answer.reasoning += thought;
  if (said.refusal) answer.text += said.refusal;
  for (const piece of said.tool_calls ?? []) {
    const at = piece.index ?? answer.tools.length;
    const tool = (answer.tools[at] ??= { id: "", name: "", arguments: "", result: "" });
    tool.id ||= piece.id ?? "";
    tool.name ||= piece.function?.name ?? "";
    tool.arguments += piece.function?.arguments ?? "";
  }
}

function summed(answer, sum) {
  answer.served_by = sum.served_by;
  answer.cost_nanousd = sum.cost_nanousd;
  answer.latency_ms = sum.latency_ms;
}

// Asks and fills `answer` in, calling `changed` whenever there is more of it. Never throws: what failed is its `error`.
export async function converse(answer, { request, conversation, tags, signal, changed }) {
  const body = JSON.stringify({ conversation, tags, request: { ...request, stream: true, stream_options: { include_usage: true } } });
  const began = performance.now();
  let isWhole = false;
  try {
    const response = await fetch("/api/playground/chat", { method: "POST", headers: { "content-type": "application/json" }, body, signal });
    answer.request_id = response.headers.get("x-request-id");
    const [provider, model] = [response.headers.get("x-callgate-provider"), response.headers.get("x-callgate-model")];
    answer.served_by = provider && model ? `${provider}/${model}` : null;
    changed();
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      const whole = await response.json().catch(() => ({ error: { message: `The gateway answered ${response.status}.` } }));
      heard(answer, whole);
      const cost = response.headers.get("x-callgate-cost-usd");
      if (cost !== null) answer.cost_nanousd = Math.round(Number(cost) * 1e9);
      isWhole = true;
    } else {
      for await (const { name, data } of events(response.body)) {
        if (name === "callgate") {
          summed(answer, JSON.parse(data));
          isWhole = true;
        } else if (data !== "[DONE]") heard(answer, JSON.parse(data));
        if (answer.ttft_ms === null && (answer.text || answer.reasoning || answer.tools.length)) answer.ttft_ms = performance.now() - began;
        changed();
      }
    }
    if (!isWhole && !answer.error) answer.error = "The answer broke off.";
  } catch (problem) {
    if (signal.aborted) answer.is_stopped = true;
    else answer.error = `The gateway could not be reached, or its answer not read: ${problem.message}`;
  }
  answer.tools = answer.tools.filter(Boolean);
  answer.latency_ms ??= performance.now() - began;
}

// The log knows what a call came to that was stopped; it has it a moment later.
export async function booked(answer, conversation) {
  for (let tries = 0; tries < 8; tries += 1) {
    await new Promise((done) => setTimeout(done, 1000));
    const response = await fetch(`/api/requests?session=${encodeURIComponent(conversation)}&limit=20`).catch(() => null);
    const record = response?.ok ? (await response.json()).items.find((each) => each.request_id === answer.request_id) : null;
    if (!record) continue;
    answer.cost_nanousd = record.cost_nanousd;
    answer.input_tokens = record.input_tokens;
    answer.output_tokens = record.output_tokens;
    answer.latency_ms = record.latency_ms;
    return true;
  }
  return false;
}
