// Runs the features of an SDK one by one, and says which of them do not hold. The arguments are those of
// the scripts for Python: --base-url --key --model [--says] [--without a,b] [--only a,b] [--list].

import assert from "node:assert/strict";
import { parseArgs } from "node:util";

const text = { type: "string", default: "" };
const { values } = parseArgs({
  options: {
    "base-url": text,
    key: text,
    model: text,
    says: text,
    without: text,
    only: text,
    list: { type: "boolean" },
  },
});

export const BASE_URL = values["base-url"];
export const KEY = values.key;
export const MODEL = values.model;
export const SAYS = values.says || KEY;
export const HELLO = `${SAYS} says: word-1 word-2 word-3 word-4`;
export const THOUGHT = "This is mock reasoning. It is short.";

// The smallest PNG that there is: one pixel.
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const SAW = `saw image image/png ${Buffer.from(PNG, "base64").length} bytes`;

// What the tools take, and what the mock provider calls them with.
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

/// A text with wishes in it, which reach the provider through any translation.
export const wish = (text, wishes) => `${text} mock:directive ${JSON.stringify(wishes)}`;

export const equal = assert.deepEqual;

/// Fails unless a text has a part.
export function within(part, whole) {
  assert.ok(whole.includes(part), `${part} is not in ${whole}`);
}

/// The error that a call raises; it must be of this class.
export async function raises(error, call) {
  try {
    await call();
  } catch (raised) {
    assert.ok(raised instanceof error, `${raised?.name} where ${error.name} is due: ${raised}`);
    return raised;
  }
  assert.fail(`nothing was raised where ${error.name} is due`);
}

/// All that a stream has.
export async function all(stream) {
  const items = [];
  for await (const item of await stream) items.push(item);
  return items;
}

/// Runs the features that were asked for.
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
      console.error(`${name} does not hold:`, error);
    }
  }
  if (failed.length > 0 || chosen.length === 0) {
    console.error(`of ${chosen.length} features these did not hold: ${failed.join(", ")}`);
    process.exitCode = 1;
    return;
  }
  console.log(`all held: ${chosen.length} features`);
}
