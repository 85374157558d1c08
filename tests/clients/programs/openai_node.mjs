import assert from "node:assert/strict";
import OpenAI from "openai";
import { check, key, say, thrown, url } from "./checks.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const messages = [{ role: "user", content: say }];
const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];

await check("whole", async () => {
  const answer = await client.chat.completions.create({ model: "demo/echo", messages });
  assert.equal(answer.choices[0].message.content, say);
  assert.ok(answer.usage.completion_tokens > 0);
});

await check("streaming", async () => {
  const stream = await client.chat.completions.create({ model: "demo/echo", messages, stream: true });
  let said = "";
  for await (const chunk of stream) said += chunk.choices[0].delta.content ?? "";
  assert.equal(said, say);
});

await check("tools", async () => {
  const answer = await client.chat.completions.create({ model: "demo/echo", messages, tools, tool_choice: "required" });
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, "get_weather");
});

await check("errors", async () => {
  const failure = await thrown(() => client.chat.completions.create({ model: "demo/echo:status=429", messages }));
  assert.ok(failure instanceof OpenAI.RateLimitError);
  const broken = await client.chat.completions.create({ model: "demo/lorem:error-after=3", messages, stream: true });
  const within = await thrown(async () => {
    for await (const chunk of broken) assert.ok(chunk);
  });
  assert.ok(within instanceof OpenAI.APIError);
});

await check("responses", async () => {
  const answer = await client.responses.create({ model: "demo/echo", input: say });
  assert.equal(answer.output_text, say);
  const final = await client.responses.stream({ model: "demo/echo", input: say }).finalResponse();
  assert.equal(final.output_text, say);
});

await check("embeddings", async () => {
  const answer = await client.embeddings.create({ model: "demo/echo", input: ["red fox", "blue whale"] });
  assert.equal(answer.data.length, 2);
});
