# SPDX-License-Identifier: Apache-2.0
"""The unmodified aws-sdk-bedrock-runtime, of the older API (0.4) or the newer (0.12), talks to the emulator.

Asks for a greeting by typed text, hears it out and closes. Prints what happens as JSON lines.
Usage: python-sdk.py ENDPOINT
"""

import asyncio
import base64
import json
import sys
import time
import uuid

from aws_sdk_bedrock_runtime import client as sdk
from aws_sdk_bedrock_runtime import config as sdk_config
from aws_sdk_bedrock_runtime.models import (
    BidirectionalInputPayloadPart,
    InvokeModelWithBidirectionalStreamInputChunk,
)
from aws_sdk_bedrock_runtime import models
from smithy_aws_core.identity import EnvironmentCredentialsResolver

MODEL = "amazon.nova-2-sonic-v1:0"
LPCM = {
    "mediaType": "audio/lpcm",
    "sampleSizeBits": 16,
    "channelCount": 1,
    "encoding": "base64",
    "audioType": "SPEECH",
}


def emit(event: str, **detail) -> None:
    print(json.dumps({"event": event, "time": time.time(), **detail}), flush=True)


async def connect(endpoint: str):
    options = {
        "endpoint_uri": endpoint,
        "region": "us-east-1",
        "aws_credentials_identity_resolver": EnvironmentCredentialsResolver(),
    }
    if hasattr(sdk_config, "AsyncBedrockRuntimeConfig"):
        from smithy_http.aio.crt import AWSCRTHTTPClient

        options["transport"] = AWSCRTHTTPClient()
        config = await sdk_config.AsyncBedrockRuntimeConfig.resolve(**options)
        client = sdk.AsyncBedrockRuntimeClient(config=config)
    else:
        client = sdk.BedrockRuntimeClient(config=sdk_config.Config(**options))
    operation = models.InvokeModelWithBidirectionalStreamOperationInput(model_id=MODEL)
    return await client.invoke_model_with_bidirectional_stream(operation)


async def main(endpoint: str) -> None:
    stream = await connect(endpoint)

    async def send(name: str, body: dict) -> None:
        data = json.dumps({"event": {name: body}}).encode()
        part = BidirectionalInputPayloadPart(bytes_=data)
        await stream.input_stream.send(InvokeModelWithBidirectionalStreamInputChunk(value=part))

    prompt = {"promptName": str(uuid.uuid4())}
    audio = {**prompt, "contentName": "audio"}
    text = {**prompt, "contentName": "text"}
    plain = {"mediaType": "text/plain"}
    await send(
        "sessionStart",
        {"inferenceConfiguration": {"maxTokens": 1024, "topP": 0.9, "temperature": 0.7}},
    )
    await send(
        "promptStart",
        {
            **prompt,
            "textOutputConfiguration": plain,
            "audioOutputConfiguration": {**LPCM, "sampleRateHertz": 24000, "voiceId": "tiffany"},
        },
    )
    system = {**prompt, "contentName": "system"}
    await send(
        "contentStart",
        {
            **system,
            "type": "TEXT",
            "interactive": False,
            "role": "SYSTEM",
            "textInputConfiguration": plain,
        },
    )
    await send("textInput", {**system, "content": "Be brief."})
    await send("contentEnd", system)
    await send(
        "contentStart",
        {
            **audio,
            "type": "AUDIO",
            "interactive": True,
            "role": "USER",
            "audioInputConfiguration": {**LPCM, "sampleRateHertz": 16000},
        },
    )
    silence = base64.b64encode(bytes(1024)).decode()
    for _ in range(4):
        await send("audioInput", {**audio, "content": silence})
    await send(
        "contentStart",
        {
            **text,
            "type": "TEXT",
            "interactive": True,
            "role": "USER",
            "textInputConfiguration": plain,
        },
    )
    await send("textInput", {**text, "content": "Greet the caller."})
    await send("contentEnd", text)

    _, output = await stream.await_output()
    seconds = 0.0
    while True:
        result = await asyncio.wait_for(output.receive(), 20)
        name, body = next(iter(json.loads(result.value.bytes_.decode())["event"].items()))
        if name == "audioOutput":
            seconds += len(base64.b64decode(body["content"])) / 2 / 24000
        if name == "textOutput":
            emit("text", role=body["role"], text=body["content"])
        if name == "contentEnd" and body["type"] == "AUDIO":
            emit("spoken", seconds=seconds)
            break
    await send("contentEnd", audio)
    await send("promptEnd", prompt)
    await send("sessionEnd", {})
    await stream.input_stream.close()
    while await asyncio.wait_for(output.receive(), 20) is not None:
        pass
    emit("closed")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
