import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { check, key, say, thrown, url } from "./checks.mjs";

const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: key });
const models = (name = "demo/echo") => [openai.chat(name), openai.responses(name), anthropic(name)];
const tools = {
  get_weather: tool({
    description: "What the weather is.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};

await check("whole", async () => {
  for (const model of models()) {
    const { text, usage } = await generateText({ model, prompt: say, maxRetries: 0 });
    assert.equal(text, say);
    assert.ok(usage.outputTokens > 0);
  }
});

await check("streaming", async () => {
  for (const model of models()) {
    const { textStream } = streamText({ model, prompt: say, maxRetries: 0 });
    let said = "";
    for await (const text of textStream) said += text;
    assert.equal(said, say);
  }
});

await check("tools", async () => {
  for (const model of models()) {
    const prompt = "Please call get_weather";
    const { steps } = await generateText({ model, prompt, tools, stopWhen: stepCountIs(2), maxRetries: 0 });
    assert.deepEqual(steps.map((step) => step.finishReason), ["tool-calls", "stop"]);
  }
});

await check("errors", async () => {
  for (const model of models("demo/echo:status=429")) {
    const failure = await thrown(() => generateText({ model, prompt: say, maxRetries: 0 }));
    assert.ok(APICallError.isInstance(failure), String(failure));
    assert.equal(failure.statusCode, 429);
  }
});

await check("structured", async () => {
  const schema = z.object({ name: z.string(), legs: z.number() });
  for (const model of models()) {
    const { object } = await generateObject({ model, schema, prompt: say, maxRetries: 0 });
    assert.equal(typeof object.name, "string");
  }
});
