// The `@anthropic-ai/sdk` for Node: messages, token counts, models and errors.

import Anthropic from "@anthropic-ai/sdk";

import * as it from "./features.mjs";

const { equal, within, directive, MODEL: model, UPSTREAM_KEY, RESPONSE_TEXT } = it;
const client = new Anthropic({ baseURL: it.BASE_URL, apiKey: it.KEY, maxRetries: 0, timeout: 30_000 });

const tools = [
  { name: "get_weather", description: "weather", input_schema: it.WEATHER },
  { name: "get_time", description: "time", input_schema: it.CLOCK },
];
const thinking = { type: "enabled", budget_tokens: 1024 };
const user = (content) => ({ role: "user", content });
const body = (messages, more) => ({ model, max_tokens: 2048, messages, ...more });
const send = (content, more = {}) => client.messages.create(body([user(content)], more));
const streamed = (content, more = {}) => client.messages.stream(body([user(content)], more)).finalMessage();
// People do not read these blocks. The client only sends them back.
const hidden = (block) => block.type === "redacted_thinking" || (block.type === "thinking" && !block.thinking);
const kinds = (message) => message.content.filter((block) => !hidden(block)).map((block) => block.type);

const withResults = (message) => {
  const calls = message.content.filter((block) => block.type === "tool_use");
  const results = calls.map((call, index) => ({
    type: "tool_result",
    tool_use_id: call.id,
    content: ["21 degrees", "noon"][index],
  }));
  return [user("parallel tools"), { role: "assistant", content: message.content }, user(results)];
};

await it.run({
  async messages() {
    const response = await send("hello", { system: "be kind" });
    equal([response.content[0].text, response.stop_reason], [`${RESPONSE_TEXT} [system: be kind]`, "end_turn"]);
  },

  async messages_stream() {
    const message = await streamed("hello");
    equal([message.content[0].text, message.usage.output_tokens], [RESPONSE_TEXT, 5]);
    const events = await it.all(send("hello", { stream: true }));
    equal([events[0].type, events.at(-1).type], ["message_start", "message_stop"]);
  },

  async messages_tools() {
    const response = await send("parallel tools", { tools });
    equal(response.content.map((call) => call.input), [it.WEATHER_ARGUMENTS, it.CLOCK_ARGUMENTS]);
    equal(response.stop_reason, "tool_use");
  },

  async messages_tools_streamed() {
    const message = await streamed("parallel tools", { tools });
    equal(message.content.map((call) => call.input), [it.WEATHER_ARGUMENTS, it.CLOCK_ARGUMENTS]);
  },

  async messages_tool_results() {
    const message = await send("parallel tools", { tools });
    const response = await client.messages.create(body(withResults(message), { tools }));
    equal(response.content[0].text, `${UPSTREAM_KEY} says: result 21 degrees result noon`);
  },

  async messages_thinking() {
    for (const message of [await send("hello", { thinking }), await streamed("hello", { thinking })]) {
      equal(kinds(message), ["thinking", "text"]);
      equal(message.content[0].thinking, it.REASONING);
    }
  },

  async messages_thinking_returned() {
    const message = await streamed("parallel tools", { tools, thinking });
    equal(kinds(message), ["thinking", "tool_use", "tool_use"]);
    const response = await client.messages.create(body(withResults(message), { tools, thinking }));
    within("result 21 degrees result noon", response.content.findLast((block) => block.type === "text").text);
  },

  async messages_image() {
    const source = { type: "base64", media_type: "image/png", data: it.PNG };
    const response = await send([{ type: "image", source }, { type: "text", text: "look" }]);
    within(it.IMAGE_TEXT, response.content[0].text);
  },

  async count_tokens() {
    const count = async (text) => (await client.messages.countTokens({ model, messages: [user(text)] })).input_tokens;
    equal((await count("one two")) < (await count("one two three four")), true);
  },

  async errors() {
    await it.raises(Anthropic.BadRequestError, () => send(""));
    const raised = await it.raises(Anthropic.RateLimitError, () => send(directive("hello", { status: 429 })));
    equal(raised.error.error.type, "rate_limit_error");
    await it.raises(Anthropic.InternalServerError, () => send(directive("hello", { status: 500 })));
  },

  async error_in_stream() {
    const text = directive("hello", { events_error_after: 5 });
    await it.raises(Anthropic.APIError, () => it.all(send(text, { stream: true })));
  },

  async models() {
    equal((await it.all(client.models.list()))[0].type, "model");
  },
});
