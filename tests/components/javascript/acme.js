// The executor for the made-up provider of tests/mock-provider/src/acme.rs, as rust/acme.rs.

import * as conversation from "jackfield:plugin/conversation@0.2.0";
import { converterOfLines, describe, failure, planOfLines, postJson, textMessages } from "./typed.js";

export const planner = {
  describe: () => describe("1"),

  prepare(target) {
    const sampling = conversation.parameters();
    const body = {
      model: target.model,
      stream: target.stream,
      system: conversation.system(),
      messages: textMessages().map(message),
      tools: conversation.tools().map((it) => ({ name: it.name, about: it.description, schema: JSON.parse(it.schema) })),
      limit: sampling.tokensMax,
      heat: sampling.temperature,
    };
    return planOfLines(postJson(target, "/generate", body));
  },
};

function message({ role, text, call, id }) {
  if (call) return { who: "model", call: { id: call.id, tool: call.name, input: JSON.parse(call.arguments) } };
  return id ? { who: "tool", id, text } : { who: role === "assistant" ? "model" : "user", text };
}

const KINDS = { busy: "overloaded", "too-long": "invalid", "bad-key": "authentication" };
const REASONS = { done: "stop", limit: "length", call: "tool-calls" };

function readError(error, otherKind) {
  if (!error?.problem) return null;
  return failure(KINDS[error.problem] ?? otherKind, error.why ?? "", error.wait ? error.wait * 1000 : null);
}

export const judge = {
  judge: (_target, _head, body) => (body.tag === "text" ? readError(JSON.parse(body.val), "unclassified") : null),
};

function readLine(line, events) {
  const error = readError(line, "transient");
  if (error) return events.failed(error);
  events.text("reasoning", line.think);
  events.text("text", line.say);
  for (const call of line.calls ?? []) events.call(call.id, call.tool, call.input);
  if (!line.end) return;
  events.usage(line.in, line.out);
  events.finish(REASONS[line.end] ?? "content-filter");
}

export const typedReply = { Converter: converterOfLines(readLine) };
