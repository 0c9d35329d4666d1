"""Runs the features of an SDK one by one, and says which of them do not hold.

A script marks its features with `@feature` and ends with `run()`. Whoever calls it names the base URL,
the key, the model, and whose key answers behind it; `--without a,b` leaves features out by name, and
`--only a,b` runs no others.
"""

import argparse
import base64
import json
import sys
import traceback

parser = argparse.ArgumentParser()
parser.add_argument("--base-url", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--says", help="whose key answers; the client's own if it is left out")
parser.add_argument("--without", default="")
parser.add_argument("--only", default="")
parser.add_argument("--list", action="store_true")
ARGUMENTS = parser.parse_args()

BASE_URL, KEY, MODEL = ARGUMENTS.base_url, ARGUMENTS.key, ARGUMENTS.model
SAYS = ARGUMENTS.says or KEY
HELLO = f"{SAYS} says: word-1 word-2 word-3 word-4"

# The smallest PNG that there is: one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SAW = f"saw image image/png {len(PNG)} bytes"

# What a weather tool takes, and what the mock provider calls it with.
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER_ARGUMENTS = {"city": "mock-city", "days": 7}
CLOCK = {
    "type": "object",
    "properties": {"zone": {"type": "string"}},
    "required": ["zone"],
    "additionalProperties": False,
}
CLOCK_ARGUMENTS = {"zone": "mock-zone-2"}

_features = []


def feature(function):
    """Marks a function as a feature of that name."""
    _features.append(function)
    return function


def wish(text: str, **wishes) -> str:
    """A text with wishes in it, which reach the provider through any translation."""
    return f"{text} mock:directive {json.dumps(wishes)}"


def equal(found, expected) -> None:
    assert found == expected, f"found {found!r} where {expected!r} is due"


def within(part: str, whole: str) -> None:
    assert part in whole, f"{part!r} is not in {whole!r}"


def raises(error: type[Exception], call) -> Exception:
    """The error that a call raises; it must be of this very class."""
    try:
        call()
    except Exception as raised:
        told = f"{type(raised).__name__} where {error.__name__} is due: {raised}"
        assert type(raised) is error, told
        return raised
    raise AssertionError(f"nothing was raised where {error.__name__} is due")


def run() -> None:
    """Runs what was asked for, and ends the process."""
    named = lambda text: {name for name in text.split(",") if name}
    without, only = named(ARGUMENTS.without), named(ARGUMENTS.only)
    names = {function.__name__ for function in _features}
    if ARGUMENTS.list:
        print("\n".join(sorted(names)))
        sys.exit(0)
    unknown = (without | only) - names
    if unknown:
        sys.exit(f"there is no feature {', '.join(sorted(unknown))}")
    held, failed = 0, []
    for function in _features:
        name = function.__name__
        if name in without or (only and name not in only):
            continue
        try:
            function()
            held += 1
        except Exception:
            failed.append(name)
            print(f"{name} does not hold:\n{traceback.format_exc()}", file=sys.stderr)
    if failed or not held:
        sys.exit(f"{held} features held, these did not: {', '.join(failed)}")
    print(f"all held: {held} features")
