import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { check, key, say, thrown, url } from "./checks.mjs";

const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const ask = { model: "demo/echo", max_tokens: 100, messages: [{ role: "user", content: say }] };
const tools = [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];

await check("whole", async () => {
  const answer = await client.messages.create(ask);
  assert.equal(answer.content[0].text, say);
  assert.ok(answer.usage.output_tokens > 0);
});

await check("streaming", async () => {
  const final = await client.messages.stream(ask).finalMessage();
  assert.equal(final.content[0].text, say);
  assert.equal(final.stop_reason, "end_turn");
});

await check("tools", async () => {
  const answer = await client.messages.create({ ...ask, tools, tool_choice: { type: "any" } });
  assert.ok(answer.content.some((block) => block.type === "tool_use" && block.name === "get_weather"));
});

await check("errors", async () => {
  const limited = await thrown(() => client.messages.create({ ...ask, model: "demo/echo:status=429" }));
  assert.ok(limited instanceof Anthropic.RateLimitError);
  const broken = client.messages.stream({ ...ask, model: "demo/lorem:error-after=3" });
  assert.ok((await thrown(() => broken.finalMessage())) instanceof Anthropic.APIError);
});

await check("count_tokens", async () => {
  const counted = await client.messages.countTokens({ model: ask.model, messages: ask.messages });
  assert.ok(counted.input_tokens > 0);
});
