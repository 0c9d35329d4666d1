// Helpers for executors that speak no dialect: the texts of the conversation, events in their order, failures.

import * as conversation from "jackfield:plugin/conversation@0.2.0";
import { encode } from "./utf8.js";

/** The description of an executor that generates content. */
export const describe = (version) => ({
  version,
  dialects: ["common"],
  operations: ["generate"],
  hosts: [],
  defaultBaseUrl: null,
  refreshLeadMs: null,
  options: [],
});

/** A plan whose response comes in lines. */
export function planOfLines(request) {
  const response = { tag: "frames", val: "lines" };
  return { request, response, captures: [], state: new Uint8Array(), options: [] };
}

/** A converter that reads each line, a JSON value, with `read(line, events)`. */
export const converterOfLines = (read) =>
  class {
    events = new Events();

    head() {}

    push(frames) {
      for (const { data } of frames) read(JSON.parse(data.val), this.events);
      return this.events.output();
    }
  };

/** The conversation as texts, calls of tools and their results. Throws a failure if it has anything else. */
export function textMessages() {
  return conversation.turns(0, conversation.turnCount()).flatMap(({ role, blocks }) =>
    blocks.flatMap(({ part: { tag, val } }) => {
      if (tag === "text") return [{ role, text: val }];
      if (tag === "call") return [{ call: val }];
      if (tag === "result") return [{ id: val.callId, text: textOf(val.content) }];
      if (tag === "reasoning") return [];
      throw failure("unsupported", `this provider takes no ${tag}`);
    }),
  );
}

function textOf(parts) {
  if (parts.some(({ tag }) => tag !== "text")) throw failure("unsupported", "this provider takes text only");
  return parts.map(({ val }) => val).join("\n");
}

/** A request with a JSON body to a path below the base URL, authorized by the key of the credential. */
export function postJson(target, path, body) {
  if (target.credential === null) throw failure("authentication", "no credential");
  return {
    method: "POST",
    url: target.credential.baseUrl + path,
    headers: [{ name: "content-type", value: encode("application/json") }],
    forwardHeaders: [],
    forwardQuery: [],
    secrets: [{ secret: "api-key", place: { tag: "bearer" } }],
    body: { tag: "written", val: { tag: "text", val: JSON.stringify(body) } },
    options: [],
  };
}

/** Collects the events of a response. An item ends when another one begins. */
export class Events {
  #events = [];
  #open = null;
  #next = 0;
  #done = false;

  /** A piece of a text: `kind` is `text`, `reasoning` or `refusal`. */
  text(kind, text) {
    if (!text) return;
    if (this.#open?.kind !== kind) this.#begin(kind);
    this.#delta("text", text);
  }

  /** A call of a tool; `input` is a JSON value. */
  call(id, name, input) {
    this.#begin("call", id, name);
    this.#delta("arguments", JSON.stringify(input));
    this.#end();
  }

  usage(input, output) {
    const val = { input, output, cacheRead: 0, cacheWrite: 0, reasoning: 0, options: [] };
    this.#events.push({ tag: "usage", val });
  }

  /** The end of the response. */
  finish(reason) {
    this.#end();
    this.#done = true;
    this.#events.push({ tag: "finish", val: { candidate: 0, reason, stopSequence: null, options: [] } });
  }

  failed(error) {
    this.#events.push({ tag: "failed", val: error });
  }

  /** The output of a `push`: the events since the last one. */
  output() {
    const events = this.#events;
    this.#events = [];
    return { events, done: this.#done, next: null, options: [] };
  }

  #begin(kind, id = "", name = "") {
    this.#end();
    this.#open = { index: this.#next++, candidate: 0, kind, id, name, options: [] };
    this.#events.push({ tag: "begin", val: this.#open });
  }

  #delta(kind, text) {
    const val = { index: this.#open.index, kind, data: { tag: "text", val: text }, options: [] };
    this.#events.push({ tag: "delta", val });
  }

  #end() {
    if (this.#open !== null) this.#events.push({ tag: "end", val: this.#open.index });
    this.#open = null;
  }
}

const SCOPES = { authentication: "credential", invalid: "request", unsupported: "request", "rate-limit": "model" };

/** A failure, whose scope follows from its kind. */
export function failure(kind, message, retryAfterMs = null) {
  const scope = SCOPES[kind] ?? "provider";
  return { scope, kind, status: null, message, retryAfterMs, refreshSuggested: false, body: null, options: [] };
}
