"""The example selector: prefers candidates in the region `eu`, then the fewest attempts in progress,
then the highest weight, and takes the remaining ones in turn.

The host's tests run the same selector in Rust, JavaScript and Python; see ../README.md. It must not
store anything from one pick to the next.
"""

import json

from wit_world import exports
from wit_world.exports.selector import (
    Choice,
    Choice_Candidate,
    Choice_None_,
    Choice_WaitMs,
    Descriptor,
    PickContext,
)
from wit_world.imports import candidates, log, settings


class Selector(exports.Selector):
    def describe(self) -> Descriptor:
        custom = "label" in json.loads(settings.json())
        return Descriptor(version="1.0.0+custom" if custom else "1.0.0", options=[])

    def pick(self, context: PickContext) -> Choice:
        log.write(log.Level.DEBUG, f"pick {context.sequence} for {context.model}")
        match context.model:
            case "none":
                return Choice_None_("no credential may serve this model")
            case "later":
                return Choice_WaitMs(250)
            case _:
                best = finalists()
                return Choice_Candidate(best[context.sequence % len(best)])


def finalists() -> list[int]:
    """Returns the indexes of the candidates among which only the turn decides."""
    in_flight = candidates.in_flight()
    weights = candidates.weights()
    regions = candidates.attribute("region")

    european = [index for index, region in enumerate(regions) if region == "eu"]
    near = european or range(len(regions))

    least = min(in_flight[index] for index in near)
    idle = [index for index in near if in_flight[index] == least]

    most = max(weights[index] for index in idle)
    return [index for index in idle if weights[index] == most]
