// The example executor: serves any provider with the dialect `openai-chat`. The host's tests run the
// same executor in Rust, JavaScript and Python; see ../README.md. It can use only the imports below: a
// component has no network, no clock and no random numbers.
//
// WIT in JavaScript: names are in camelCase, a record is an object, a variant is `{ tag, val }`, an enum
// value is its name, `none` is null, `list<u8>` is a Uint8Array. A function that returns a `result`
// throws its failure.

import * as clientBody from "jackfield:plugin/client-body@0.1.0";
import { encode } from "./utf8.js";

function describe() {
  return {
    version: "1.0.0",
    dialects: ["openai-chat"],
    operations: ["generate"],
    hosts: [],
    refreshLeadMs: null,
    judgesErrors: true,
    models: [],
    options: [],
  };
}

function prepare(context) {
  if (context.operation !== "generate") {
    throw failure("request", "unsupported", "this executor only generates");
  }
  const refusal = clientBody.at("/refuse");
  if (refusal !== null) {
    throw failure("request", "invalid", `refused: ${refusal}`, { status: 400 });
  }
  if (context.credential === null) {
    throw failure("credential", "authentication", "no credential");
  }
  return {
    request: {
      method: "POST",
      url: `${context.credential.baseUrl}/chat/completions`,
      headers: [{ name: "content-type", value: encode("application/json") }],
      secrets: [{ secret: "api-key", place: { tag: "bearer" } }],
      body: body(context),
      options: [],
    },
    response: context.stream ? { tag: "frames", val: "sse" } : { tag: "whole" },
    captures: [],
    state: encode(context.model),
  };
}

/** The client's body, with the model replaced if the provider has another name for it. */
function body(context) {
  if (context.clientModel === context.model) return { tag: "original" };
  const rename = { tag: "replace", val: ["/model", JSON.stringify(context.model)] };
  return { tag: "patched", val: [rename] };
}

function countTokens(_context) {
  return null;
}

function judge(_context, head, body) {
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

function shouldRefresh(_credential, _nowMs) {
  return null;
}

/** Passes a response on. The header `x-guest` has the state from `prepare`. */
class Reply {
  constructor(_context, state) {
    this.state = state;
  }

  head(head) {
    const value = Uint8Array.of(...encode("javascript:"), ...this.state);
    return { status: head.status, headers: [...head.headers, { name: "x-guest", value }] };
  }

  push(frames, last) {
    if (frames.some((frame) => equal(frame.data, BOOM))) {
      throw failure("provider", "transient", "boom");
    }
    return { frames, usage: last ? USAGE : null, done: false, next: null };
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
    ...fields,
  };
}

function equal(left, right) {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

const BOOM = encode("boom");
const USAGE = { input: 3, output: 5, cachedInput: 0, reasoning: 0, options: [] };

export const executor = { describe, prepare, countTokens, judge, shouldRefresh, Reply };
