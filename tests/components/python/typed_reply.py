"""The converter of an executor whose provider responds in lines of JSON. componentize-py looks for it in this module."""

import json

from acme import read_line
from typed import Events
from wit_world import exports
from wit_world.exports.typed_reply import Output
from wit_world.imports.types import Frame, HttpHead, Target


class Converter(exports.typed_reply.Converter):
    def __init__(self, target: Target, state: bytes) -> None:
        self.events = Events()

    def head(self, head: HttpHead) -> None:
        pass

    def push(self, frames: list[Frame], last: bool) -> Output:
        for frame in frames:
            read_line(json.loads(frame.data.value), self.events)
        return self.events.output()
