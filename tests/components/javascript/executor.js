// The example executor: serves any provider with the dialect `openai-chat`. The host's tests run the
// same executor in Rust, JavaScript and Python; see ../README.md. It can use only the imports below: a
// component has no network, no clock and no random numbers.
//
// WIT in JavaScript: names are in camelCase, a record is an object, a variant is `{ tag, val }`, an enum
// value is its name, `none` is null, `list<u8>` is a Uint8Array. A function that returns a `result`
// throws its failure. Data is text, if it is UTF-8: `{ tag: "text", val }`.

import * as clientBody from "jackfield:plugin/client-body@0.2.0";
import { encode } from "./utf8.js";

function describe() {
  return {
    version: "1.0.0",
    dialects: ["openai-chat"],
    operations: ["generate"],
    hosts: [],
    defaultBaseUrl: null,
    refreshLeadMs: null,
    options: [],
  };
}

function prepare(target) {
  if (target.operation !== "generate") {
    throw failure("request", "unsupported", "this executor only generates");
  }
  const refusal = clientBody.at("/refuse");
  if (refusal !== null) {
    throw failure("request", "invalid", `refused: ${refusal}`, { status: 400 });
  }
  if (target.credential === null) {
    throw failure("credential", "authentication", "no credential");
  }
  return {
    request: {
      method: "POST",
      url: `${target.credential.baseUrl}/chat/completions`,
      headers: [{ name: "content-type", value: encode("application/json") }],
      forwardHeaders: [],
      forwardQuery: [],
      secrets: [{ secret: "api-key", place: { tag: "bearer" } }],
      body: body(target),
      options: [],
    },
    response: target.stream ? { tag: "frames", val: "sse" } : { tag: "whole" },
    captures: [],
    state: encode(target.model),
    options: [],
  };
}

/** The client's body, with the model replaced if the provider has another name for it. */
function body(target) {
  if (target.clientModel === target.model) return { tag: "original" };
  const rename = { tag: "replace", val: ["/model", JSON.stringify(target.model)] };
  return { tag: "patched", val: [rename] };
}

/** Classifies an error response. `null` would leave it to the host. */
function classify(_target, head, body) {
  const message = `the provider returned ${head.status}`;
  const fields = { status: head.status, body };
  switch (head.status) {
    case 401:
      fields.refreshSuggested = true;
      return failure("credential", "authentication", message, fields);
    case 429:
      fields.retryAfterMs = retryAfterMs(head);
      return failure("model", "rate-limit", message, fields);
    default:
      return failure("provider", "transient", message, fields);
  }
}

/** The value of the header `retry-after` in milliseconds, if it is a number of seconds. */
function retryAfterMs(head) {
  const header = head.headers.find(({ name }) => name === "retry-after");
  // Nine digits are thirty years. A longer number is an error of the provider.
  if (header === undefined || header.value.length > 9) return null;
  const text = String.fromCharCode(...header.value);
  return /^[0-9]+$/.test(text) ? 1000 * Number(text) : null;
}

/** Passes a response on. Of a frame `who` it makes the language and the state from `prepare`. */
class Converter {
  constructor(_target, state) {
    this.state = state;
  }

  head(head) {
    if (head.status === 299) throw failure("provider", "transient", "not this status");
  }

  push(frames, last) {
    if (frames.some((frame) => frame.data.val === "boom")) {
      throw failure("provider", "transient", "boom");
    }
    // Any other exception is a fault of the plugin. Its text is in the host's log.
    if (frames.some((frame) => frame.data.val === "mistake")) throw new Error("a mistake of this guest");
    const who = { tag: "bytes", val: Uint8Array.of(...encode("javascript:"), ...this.state) };
    const converted = frames.map((frame) =>
      frame.data.val === "who" ? { name: frame.name, data: who } : frame,
    );
    return { frames: converted, usage: last ? USAGE : null, done: false, next: null, options: [] };
  }
}

/** A failure; `fields` replace the defaults. */
function failure(scope, kind, message, fields = {}) {
  return {
    scope,
    kind,
    status: null,
    message,
    retryAfterMs: null,
    refreshSuggested: false,
    body: null,
    options: [],
    ...fields,
  };
}

const USAGE = {
  input: 3,
  output: 5,
  cacheRead: 0,
  cacheWrite: 0,
  reasoning: 0,
  options: [],
};

export const planner = { describe, prepare };
export const judge = { judge: classify };
export const reply = { Converter };
