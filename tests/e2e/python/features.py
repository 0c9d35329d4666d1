"""Tests the features of an SDK one by one, and reports which of them fail.

A script marks its features with `@feature` and ends with `run()`. The caller passes the base URL, the key
and the model, and with `--upstream-key` the key that reaches the provider. `--without a,b` skips features
by name; `--only a,b` runs only these.
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
parser.add_argument("--upstream-key", help="the key that reaches the provider; the client's key by default")
parser.add_argument("--without", default="")
parser.add_argument("--only", default="")
parser.add_argument("--list", action="store_true")
ARGUMENTS = parser.parse_args()

BASE_URL, KEY, MODEL = ARGUMENTS.base_url, ARGUMENTS.key, ARGUMENTS.model
UPSTREAM_KEY = ARGUMENTS.upstream_key or KEY
# True if the keys differ: then Jackfield is between the client and the provider.
IS_PROXIED = UPSTREAM_KEY != KEY
RESPONSE_TEXT = f"{UPSTREAM_KEY} says: word-1 word-2 word-3 word-4"

# The smallest possible PNG: one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE_TEXT = f"saw image image/png {len(PNG)} bytes"

# The parameters of the tools, and the arguments that the mock provider calls them with.
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
    """Marks a function as a feature with the function's name."""
    _features.append(function)
    return function


def directive(text: str, **directives) -> str:
    """Returns a text with directives for the mock provider. They pass through any translation."""
    return f"{text} mock:directive {json.dumps(directives)}"


def equal(found, expected) -> None:
    assert found == expected, f"expected {expected!r}, found {found!r}"


def within(part: str, whole: str) -> None:
    assert part in whole, f"{part!r} is not in {whole!r}"


def raises(error: type[Exception], call) -> Exception:
    """Returns the error that a call raises. Fails if it is not of exactly this class."""
    try:
        call()
    except Exception as raised:
        message = f"expected {error.__name__}, but {type(raised).__name__} was raised: {raised}"
        assert type(raised) is error, message
        return raised
    raise AssertionError(f"expected {error.__name__}, but nothing was raised")


def refused(own: type[Exception], proxied: type[Exception]) -> type[Exception]:
    """Returns the error after a provider's 401 or 403. Through Jackfield, these concern the operator's
    credential: to the client, they would mean its own key, so it gets a 503."""
    return proxied if IS_PROXIED else own


def run() -> None:
    """Runs the selected features, and ends the process."""
    named = lambda text: {name for name in text.split(",") if name}
    without, only = named(ARGUMENTS.without), named(ARGUMENTS.only)
    names = {function.__name__ for function in _features}
    if ARGUMENTS.list:
        print("\n".join(sorted(names)))
        sys.exit(0)
    unknown = (without | only) - names
    if unknown:
        sys.exit(f"there is no feature {', '.join(sorted(unknown))}")
    passed, failed = 0, []
    for function in _features:
        name = function.__name__
        if name in without or (only and name not in only):
            continue
        try:
            function()
            passed += 1
        except Exception:
            failed.append(name)
            print(f"{name} failed:\n{traceback.format_exc()}", file=sys.stderr)
    if failed or not passed:
        sys.exit(f"{passed} features passed, these failed: {', '.join(failed)}")
    print(f"all passed: {passed} features")
