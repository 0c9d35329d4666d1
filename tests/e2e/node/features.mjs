// Tests the features of an SDK one by one, and reports which of them fail. The arguments are those of the
// Python scripts: --base-url --key --model [--upstream-key KEY] [--without a,b] [--only a,b] [--list].

import assert from "node:assert/strict";
import { parseArgs } from "node:util";

const text = { type: "string", default: "" };
const { values } = parseArgs({
  options: {
    "base-url": text,
    key: text,
    model: text,
    "upstream-key": text,
    without: text,
    only: text,
    list: { type: "boolean" },
  },
});

export const BASE_URL = values["base-url"];
export const KEY = values.key;
export const MODEL = values.model;
export const UPSTREAM_KEY = values["upstream-key"] || KEY;
export const RESPONSE_TEXT = `${UPSTREAM_KEY} says: word-1 word-2 word-3 word-4`;
export const REASONING = "This is mock reasoning. It is short.";

// The smallest possible PNG: one pixel.
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const IMAGE_TEXT = `saw image image/png ${Buffer.from(PNG, "base64").length} bytes`;

// The parameters of the tools, and the arguments that the mock provider calls them with.
const object = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
export const WEATHER = object({ city: { type: "string" }, days: { type: "integer" } });
export const WEATHER_ARGUMENTS = { city: "mock-city", days: 7 };
export const CLOCK = object({ zone: { type: "string" } });
export const CLOCK_ARGUMENTS = { zone: "mock-zone-2" };

/// Returns a text with directives for the mock provider. They pass through any translation.
export const directive = (text, directives) => `${text} mock:directive ${JSON.stringify(directives)}`;

export const equal = assert.deepEqual;

/// Fails if `whole` does not contain `part`.
export function within(part, whole) {
  assert.ok(whole.includes(part), `${part} is not in ${whole}`);
}

/// Returns the error that a call raises. Fails if it is not of this class.
export async function raises(error, call) {
  try {
    await call();
  } catch (raised) {
    assert.ok(raised instanceof error, `expected ${error.name}, but ${raised?.name} was raised: ${raised}`);
    return raised;
  }
  assert.fail(`expected ${error.name}, but nothing was raised`);
}

/// Returns all items of a stream.
export async function all(stream) {
  const items = [];
  for await (const item of await stream) items.push(item);
  return items;
}

/// Runs the selected features.
export async function run(features) {
  const names = (list) => list.split(",").filter(Boolean);
  const [without, only] = [names(values.without), names(values.only)];
  if (values.list) {
    console.log(Object.keys(features).join("\n"));
    return;
  }
  const unknown = [...without, ...only].filter((name) => !(name in features));
  assert.deepEqual(unknown, [], "there are no such features");
  const chosen = Object.entries(features).filter(
    ([name]) => !without.includes(name) && (only.length === 0 || only.includes(name)),
  );
  const failed = [];
  for (const [name, feature] of chosen) {
    try {
      await feature();
    } catch (error) {
      failed.push(name);
      console.error(`${name} failed:`, error);
    }
  }
  if (failed.length > 0 || chosen.length === 0) {
    console.error(`of ${chosen.length} features these failed: ${failed.join(", ")}`);
    process.exitCode = 1;
    return;
  }
  console.log(`all passed: ${chosen.length} features`);
}
