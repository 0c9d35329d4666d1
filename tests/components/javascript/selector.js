// The example selector: prefers candidates in the region `eu`, then the fewest attempts in progress, then
// the highest weight, and takes the remaining ones in turn. The host's tests run the same selector in
// Rust, JavaScript and Python; see ../README.md. It must not store anything from one pick to the next.

import * as candidates from "jackfield:plugin/candidates@0.2.0";
import * as log from "jackfield:plugin/log@0.2.0";
import * as settings from "jackfield:plugin/settings@0.2.0";

function describe() {
  const custom = Object.hasOwn(JSON.parse(settings.json()), "label");
  return { version: custom ? "1.0.0+custom" : "1.0.0", options: [] };
}

function pick(context) {
  log.write("debug", `pick ${context.sequence} for ${context.model}`);
  switch (context.model) {
    case "none":
      return { tag: "none", val: "no credential may serve this model" };
    case "later":
      return { tag: "wait-ms", val: 250 };
    default: {
      const best = finalists();
      return { tag: "candidate", val: best[context.sequence % best.length] };
    }
  }
}

/** Returns the indexes of the candidates among which only the turn decides. */
function finalists() {
  const inFlight = unsigned(candidates.inFlight());
  const weights = unsigned(candidates.weights());
  const regions = candidates.attribute("region");

  const all = inFlight.map((_, index) => index);
  const european = all.filter((index) => regions[index] === "eu");
  const near = european.length > 0 ? european : all;

  const least = near.reduce((low, index) => Math.min(low, inFlight[index]), Infinity);
  const idle = near.filter((index) => inFlight[index] === least);

  const most = idle.reduce((high, index) => Math.max(high, weights[index]), 0);
  return idle.filter((index) => weights[index] === most);
}

// componentize-qjs passes a u32 of 2^31 or more as a negative number.
function unsigned(column) {
  return column.map((value) => value >>> 0);
}

export const selector = { describe, pick };
