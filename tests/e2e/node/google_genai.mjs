// The `@google/genai` SDK for Node: content, functions, counts, embeddings, models and errors.

import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";

import * as it from "./features.mjs";

const { equal, within, directive, MODEL: model, UPSTREAM_KEY, RESPONSE_TEXT } = it;
const client = new GoogleGenAI({ apiKey: it.KEY, httpOptions: { baseUrl: it.BASE_URL, timeout: 30_000 } });

const { additionalProperties: _, ...weather } = it.WEATHER;
const tools = [
  {
    functionDeclarations: [
      { name: "get_weather", description: "weather", parametersJsonSchema: weather },
      { name: "get_time", description: "time", parametersJsonSchema: it.CLOCK },
    ],
  },
];
const thinkingConfig = { includeThoughts: true, thinkingBudget: 1024 };
const send = (contents, config = {}) => client.models.generateContent({ model, contents, config });
const stream = (contents, config = {}) => it.all(client.models.generateContentStream({ model, contents, config }));

const withResults = (response) => {
  const texts = ["21 degrees", "noon"];
  const parts = response.functionCalls.map(({ id, name }, index) => ({
    functionResponse: { id, name, response: { result: texts[index] } },
  }));
  const prompt = { role: "user", parts: [{ text: "parallel tools" }] };
  return [prompt, response.candidates[0].content, { role: "user", parts }];
};

await it.run({
  async generate() {
    const response = await send("hello", { systemInstruction: "be kind" });
    equal(response.text, `${RESPONSE_TEXT} [system: be kind]`);
    equal(response.candidates[0].finishReason, "STOP");
  },

  async stream() {
    const chunks = await stream("hello");
    equal(chunks.map((chunk) => chunk.text ?? "").join(""), RESPONSE_TEXT);
    equal(chunks.at(-1).usageMetadata.candidatesTokenCount, 5);
    equal(chunks.at(-1).candidates[0].finishReason, "STOP");
  },

  async function_calls() {
    const { functionCalls } = await send("parallel tools", { tools });
    equal(functionCalls.map((call) => call.args), [it.WEATHER_ARGUMENTS, it.CLOCK_ARGUMENTS]);
  },

  async function_choice() {
    const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["get_time"] };
    const { functionCalls } = await send("hello", { tools, toolConfig: { functionCallingConfig } });
    equal(functionCalls.map((call) => call.name), ["get_time"]);
  },

  async function_calls_streamed() {
    const chunks = await stream("parallel tools", { tools });
    const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
    equal(calls.map((call) => call.args), [it.WEATHER_ARGUMENTS, it.CLOCK_ARGUMENTS]);
  },

  async function_results() {
    const contents = withResults(await send("parallel tools", { tools }));
    equal((await send(contents, { tools })).text, `${UPSTREAM_KEY} says: result 21 degrees result noon`);
  },

  async thoughts() {
    const { parts } = (await send("hello", { thinkingConfig })).candidates[0].content;
    equal(parts.filter((part) => part.thought).map((part) => part.text), [it.REASONING]);
  },

  async thoughts_returned() {
    const response = await send("parallel tools", { tools, thinkingConfig });
    equal(response.candidates[0].content.parts.some((part) => part.thoughtSignature), true);
    within("result 21 degrees", (await send(withResults(response), { tools, thinkingConfig })).text);
  },

  async structured() {
    const response = await send("where?", { responseMimeType: "application/json", responseJsonSchema: it.WEATHER });
    equal(JSON.parse(response.text), it.WEATHER_ARGUMENTS);
  },

  async image() {
    const parts = [{ text: "look" }, { inlineData: { mimeType: "image/png", data: it.PNG } }];
    within(it.IMAGE_TEXT, (await send([{ role: "user", parts }])).text);
  },

  async count_tokens() {
    const count = async (contents) => (await client.models.countTokens({ model, contents })).totalTokens;
    equal((await count("one two")) < (await count("one two three four")), true);
  },

  async embed() {
    const config = { outputDimensionality: 4 };
    const { embeddings } = await client.models.embedContent({ model, contents: ["a", "b"], config });
    equal(embeddings.map((item) => item.values.length), [4, 4]);
  },

  async errors() {
    const raised = await it.raises(ApiError, () => send(directive("hello", { status: 429 })));
    equal(raised.status, 429);
    const invalid = [{ role: "assistant", parts: [{ text: "a" }] }];
    equal((await it.raises(ApiError, () => send(invalid))).status, 400);
  },

  async models() {
    const [first] = await it.all(client.models.list());
    within("models/", first.name);
  },
});
