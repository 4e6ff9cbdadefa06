# SPDX-License-Identifier: Apache-2.0
"""The Python worker of the comparison: livekit-agents with the unmodified livekit-plugins-aws, greeting each caller.

Only the plugin's endpoint is changed, by use_endpoint. Run as `worker.py start`, with LiveKit's variables and BEDROCK_ENDPOINT.
"""

import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins.aws.experimental.realtime import realtime_model
from livekit.plugins.aws.experimental.realtime.realtime_model import RealtimeModel


def use_endpoint(endpoint: str) -> None:
    """The plugin writes its endpoint down; the client's configuration is the one place to change it."""
    config = realtime_model._BedrockRuntimeConfig
    resolve = config.resolve

    async def resolve_here(**options):
        return await resolve(**{**options, "endpoint_uri": endpoint})

    config.resolve = resolve_here


# LiveKit offers nothing to a worker that reports a load above 0.7, and the callers are on the same machine.
server = AgentServer(load_fnc=lambda: 0.0, load_threshold=float("inf"), port=0)


@server.rtc_session(agent_name="peers")
async def answer(ctx: JobContext) -> None:
    use_endpoint(os.environ["BEDROCK_ENDPOINT"])
    session = AgentSession(llm=RealtimeModel(voice="tiffany", region="us-east-1"))
    await session.start(Agent(instructions="You answer in one sentence."), room=ctx.room)
    session.generate_reply(instructions="Greet the caller.")


if __name__ == "__main__":
    cli.run_app(server)
