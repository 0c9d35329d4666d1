// The `openai` SDK for Node: chats, responses, embeddings and errors.

import OpenAI from "openai";

import * as it from "./features.mjs";

const { equal, within, directive, MODEL: model, UPSTREAM_KEY, RESPONSE_TEXT } = it;
const client = new OpenAI({ baseURL: it.BASE_URL, apiKey: it.KEY, maxRetries: 0, timeout: 30_000 });

const declared = [
  ["get_weather", it.WEATHER],
  ["get_time", it.CLOCK],
];
const tools = declared.map(([name, parameters]) => ({
  type: "function",
  function: { name, parameters, strict: true },
}));
const flatTools = declared.map(([name, parameters]) => ({ type: "function", name, parameters, strict: true }));
const user = (content) => ({ role: "user", content });
const chat = (content, more = {}) =>
  client.chat.completions.create({ model, messages: Array.isArray(content) ? content : [user(content)], ...more });
const respond = (input, more = {}) => client.responses.create({ model, input, ...more });

await it.run({
  async chat() {
    const response = await chat("hello");
    equal(response.choices[0].message.content, RESPONSE_TEXT);
    equal(response.usage.completion_tokens, 5);
  },

  async chat_stream() {
    const chunks = await it.all(chat("hello", { stream: true, stream_options: { include_usage: true } }));
    equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""), RESPONSE_TEXT);
    equal(chunks.at(-1).usage.completion_tokens, 5);
  },

  async chat_tools() {
    const response = await chat("parallel tools", { tools });
    const calls = response.choices[0].message.tool_calls;
    equal(calls.map((call) => JSON.parse(call.function.arguments)), [it.WEATHER_ARGUMENTS, it.CLOCK_ARGUMENTS]);
    equal(response.choices[0].finish_reason, "tool_calls");
  },

  async chat_tools_streamed() {
    // The SDK joins the deltas, and checks them.
    const stream = client.chat.completions.stream({ model, messages: [user("parallel tools")], tools });
    const { message } = (await stream.finalChatCompletion()).choices[0];
    const calls = message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
    equal(calls, [["get_weather", it.WEATHER_ARGUMENTS], ["get_time", it.CLOCK_ARGUMENTS]]);
  },

  async chat_tool_results() {
    const messages = [user("use a tool")];
    const { message } = (await chat(messages, { tools })).choices[0];
    messages.push(message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: "21 degrees" });
    equal((await chat(messages, { tools })).choices[0].message.content, `${UPSTREAM_KEY} says: result 21 degrees`);
  },

  async chat_structured() {
    const json_schema = { name: "place", schema: it.WEATHER, strict: true };
    const response_format = { type: "json_schema", json_schema };
    const response = await client.chat.completions.parse({ model, messages: [user("where?")], response_format });
    equal(JSON.parse(response.choices[0].message.content), it.WEATHER_ARGUMENTS);
  },

  async chat_image() {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${it.PNG}` } };
    const response = await chat([user([{ type: "text", text: "look" }, image])]);
    within(it.IMAGE_TEXT, response.choices[0].message.content);
  },

  async chat_errors() {
    await it.raises(OpenAI.BadRequestError, () => chat([]));
    await it.raises(OpenAI.RateLimitError, () => chat(directive("hello", { status: 429 })));
    await it.raises(OpenAI.InternalServerError, () => chat(directive("hello", { status: 500 })));
  },

  async responses() {
    const response = await respond("hello", { instructions: "be kind" });
    equal(response.output_text, `${RESPONSE_TEXT} [system: be kind]`);
    equal(response.status, "completed");
  },

  async responses_stream() {
    const events = await it.all(respond("hello", { stream: true }));
    equal(events.map((event) => event.sequence_number), events.map((_, index) => index));
    const deltas = events.filter((event) => event.type === "response.output_text.delta");
    equal(deltas.map((event) => event.delta).join(""), RESPONSE_TEXT);
    equal(events.at(-1).type, "response.completed");
  },

  async responses_stream_put_together() {
    const response = await client.responses.stream({ model, input: "hello" }).finalResponse();
    equal(response.output_text, RESPONSE_TEXT);
  },

  async responses_tools() {
    const input = [user("parallel tools")];
    const { output } = await respond(input, { tools: flatTools });
    const calls = output.filter((item) => item.type === "function_call");
    equal(calls.map((call) => JSON.parse(call.arguments)), [it.WEATHER_ARGUMENTS, it.CLOCK_ARGUMENTS]);
    input.push(...output);
    for (const [index, result] of ["21 degrees", "noon"].entries()) {
      input.push({ type: "function_call_output", call_id: calls[index].call_id, output: result });
    }
    const response = await respond(input, { tools: flatTools });
    equal(response.output_text, `${UPSTREAM_KEY} says: result 21 degrees result noon`);
  },

  async responses_structured() {
    const format = { type: "json_schema", name: "place", schema: it.WEATHER, strict: true };
    const response = await client.responses.parse({ model, input: "where?", text: { format } });
    equal(JSON.parse(response.output_text), it.WEATHER_ARGUMENTS);
  },

  async embeddings() {
    const response = await client.embeddings.create({ model, input: ["a", "b"], dimensions: 4 });
    equal(response.data.map((item) => item.embedding.length), [4, 4]);
  },

  async models() {
    equal((await it.all(client.models.list())).length > 0, true);
  },
});
