"""A model server that costs nothing: it finds the sentence of the prompt that has the question's code, and streams it.

`python -m eval.traffic.endpoint PORT TOKENS_PER_SECOND`; each of many streams has that pace.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

_CODE = re.compile(r"E-\d+")


def build(tokens_per_second: float) -> FastAPI:
    """The application; `/asked` are the bodies of the last requests, to send them again."""
    app = FastAPI()
    asked: list[dict[str, Any]] = []

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "scripted", "object": "model", "created": 0, "owned_by": "nobody"}]}

    @app.get("/asked")
    def last_asked() -> list[dict[str, Any]]:
        return asked[-100:]

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> StreamingResponse:
        body = await request.json()
        asked.append(body)
        del asked[:-100]
        return StreamingResponse(_chunks(reply_to(body), tokens_per_second), media_type="text/event-stream")

    return app


def reply_to(body: dict[str, Any]) -> list[str]:
    """The pieces of the answer to the last message, about as long as tokens are."""
    last = str(body["messages"][-1]["content"])
    code = (_CODE.findall(last) or ["E-0"])[-1]
    sentence = next(iter(re.findall(rf"{code} means[^.]*\.", last)), "Quote: none")
    text = f"Quote: {sentence}\nAnswer: {sentence}"
    return re.findall(r"\s*\S{1,5}", text)


async def _chunks(pieces: list[str], tokens_per_second: float) -> AsyncIterator[str]:
    def event(**fields: Any) -> str:  # noqa: ANN401
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted", **fields}
        return f"data: {json.dumps(chunk)}\n\n"

    loop = asyncio.get_running_loop()
    started = loop.time()
    for number, piece in enumerate(pieces):
        await asyncio.sleep(max(0.0, started + number / tokens_per_second - loop.time()))
        yield event(choices=[{"index": 0, "delta": {"content": piece}, "finish_reason": None}])
    yield event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = {"prompt_tokens": 700, "completion_tokens": len(pieces), "total_tokens": 700 + len(pieces)}
    yield event(choices=[], usage=usage)
    yield "data: [DONE]\n\n"


if __name__ == "__main__":
    uvicorn.run(build(float(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
