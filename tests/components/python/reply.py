"""The converter of the example executor."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.reply import Output
from wit_world.imports.types import Frame, HttpHead, Payload_Bytes, Payload_Text, Target, Usage

from failures import failure


class Converter(exports.reply.Converter):
    """Passes a response on. Of a frame `who` it makes the language and the state from `prepare`."""

    def __init__(self, target: Target, state: bytes) -> None:
        self.state = state

    def head(self, head: HttpHead) -> None:
        if head.status == 299:
            raise Err(failure("provider", "transient", "not this status"))

    def push(self, frames: list[Frame], last: bool) -> Output:
        if any(frame.data == Payload_Text("boom") for frame in frames):
            raise Err(failure("provider", "transient", "boom"))
        # Any other exception is a fault of the plugin. Its text is in the host's log.
        if any(frame.data == Payload_Text("mistake") for frame in frames):
            raise ValueError("a mistake of this guest")
        who = Payload_Bytes(b"python:" + self.state)
        converted = [
            Frame(frame.name, who) if frame.data == Payload_Text("who") else frame
            for frame in frames
        ]
        usage = Usage(input=3, output=5, cache_read=0, cache_write=0, reasoning=0, options=[])
        return Output(converted, usage=usage if last else None, done=False, next=None, options=[])
