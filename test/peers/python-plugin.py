# SPDX-License-Identifier: Apache-2.0
"""The unmodified livekit-plugins-aws holds a conversation with the emulator.

Only its endpoint is changed, here; the trust store is changed by python.ts, which starts this script. Prints what
happens as JSON lines. Usage: python-plugin.py ENDPOINT QUESTION.wav INTERRUPTION.wav
"""

import asyncio
import json
import logging
import sys
import time
import wave

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins.aws.experimental.realtime import realtime_model
from livekit.plugins.aws.experimental.realtime.realtime_model import RealtimeModel

FRAME_S = 0.02
RATE = 16_000


def emit(event: str, **detail) -> None:
    print(json.dumps({"event": event, "time": time.time(), **detail}), flush=True)


def use_endpoint(endpoint: str) -> None:
    """The plugin writes its endpoint down; the client's configuration is the one place to change it."""
    config = realtime_model._BedrockRuntimeConfig
    resolve = config.resolve

    async def resolve_here(**options):
        return await resolve(**{**options, "endpoint_uri": endpoint})

    config.resolve = resolve_here


class Microphone(io.AudioInput):
    """Silence in real time, and now and then a recording."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._samples = bytearray()
        self._due = 0.0
        self.quiet = asyncio.Event()

    def say(self, path: str) -> None:
        with wave.open(path, "rb") as file:
            assert file.getframerate() == RATE and file.getnchannels() == 1
            self._samples += file.readframes(file.getnframes())
        self.quiet.clear()

    def __aiter__(self):
        return self

    async def __anext__(self) -> rtc.AudioFrame:
        now = asyncio.get_running_loop().time()
        self._due = max(self._due + FRAME_S, now - 0.1)
        await asyncio.sleep(max(0, self._due - now))
        size = int(RATE * FRAME_S) * 2
        data = bytes(self._samples[:size])
        del self._samples[:size]
        if not data:
            self.quiet.set()
        return rtc.AudioFrame(
            data=data.ljust(size, b"\0"),
            sample_rate=RATE,
            num_channels=1,
            samples_per_channel=size // 2,
        )


class Loudspeaker(io.AudioOutput):
    """Plays in real time, to no one; emits when it starts, ends and is cut short."""

    def __init__(self) -> None:
        super().__init__(
            label="loudspeaker",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=24_000,
        )
        self._pushed = 0.0
        self._started = 0.0
        self._waiting: asyncio.Task | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._pushed == 0:
            self._started = time.time()
            emit("playback_started")
            self.on_playback_started(created_at=self._started)
        self._pushed += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._pushed and self._waiting is None:
            self._waiting = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        await asyncio.sleep(max(0, self._started + self._pushed - time.time()))
        self._end(interrupted=False)

    def clear_buffer(self) -> None:
        if not self._pushed:
            return
        if self._waiting:
            self._waiting.cancel()
        self._end(interrupted=True)

    def _end(self, *, interrupted: bool) -> None:
        played = min(self._pushed, time.time() - self._started)
        emit("playback_finished", interrupted=interrupted, pushed=self._pushed, played=played)
        self._pushed, self._waiting = 0.0, None
        self.on_playback_finished(playback_position=played, interrupted=interrupted)


class Caller(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You answer in one sentence.")

    @function_tool
    async def get_current_time(self, city: str) -> str:
        """Tells the time in a city."""
        emit("tool", city=city)
        # As JSON: the plugin wraps anything else in {"tool_result": …}.
        return json.dumps({"time": "five past nine"})


class Log:
    """The session's events, to wait for."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def add(self, kind: str, text: str) -> None:
        emit(kind, text=text)
        self._entries.append((kind, text))
        self._changed.set()

    async def wait(self, kind: str, count: int, seconds: float = 20) -> None:
        async def enough() -> None:
            while sum(1 for name, _ in self._entries if name == kind) < count:
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(enough(), seconds)


async def main(endpoint: str, question: str, interruption: str) -> None:
    use_endpoint(endpoint)
    log = Log()
    session = AgentSession(llm=RealtimeModel(voice="tiffany", region="us-east-1"))
    microphone, loudspeaker = Microphone(), Loudspeaker()
    session.input.audio = microphone
    session.output.audio = loudspeaker
    loudspeaker.on("playback_started", lambda _: log.add("heard", ""))
    loudspeaker.on(
        "playback_finished", lambda e: log.add("interrupted" if e.interrupted else "finished", "")
    )
    session.on("user_input_transcribed", lambda e: e.is_final and log.add("user", e.transcript))
    session.on(
        "conversation_item_added",
        lambda e: e.item.type == "message" and log.add(e.item.role, e.item.text_content or ""),
    )
    session.on("error", lambda e: log.add("error", str(e.error)))

    await session.start(Caller())
    session.generate_reply(instructions="Greet the caller.")
    await log.wait("finished", 1)

    microphone.say(question)
    await log.wait("heard", 2)
    # Well inside the answer, which is several seconds long.
    await asyncio.sleep(0.5)
    microphone.say(interruption)
    await log.wait("interrupted", 1)
    await log.wait("heard", 3)
    await log.wait("finished", 2)
    await session.aclose()
    emit("closed")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    asyncio.run(main(*sys.argv[1:4]))
