"""A small server that speaks Chat Completions on loopback, and plays every fault on demand.

`with ChatServer() as server:` runs it in a thread of a test; as a program of its own,
`python -m tests.adapters.chat_api.server`, it serves the benchmark. It ends after a number of
requests and of seconds, whatever happens.
"""

import argparse
import asyncio
import base64
import hashlib
import io
import json
import math
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import soundfile
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

MODEL = "tiny-audio"
KEY = "sk-a-secret-that-nobody-may-see"
ANSWERS = [
    '{"neutral": 0.7, "happy": 0.1, "angry": 0.1, "sad": 0.1}',
    '{"neutral": 0.1, "happy": 0.7, "angry": 0.1, "sad": 0.1}',
    '{"neutral": 0.1, "happy": 0.1, "angry": 0.7, "sad": 0.1}',
    '{"neutral": 0.1, "happy": 0.1, "angry": 0.1, "sad": 0.7}',
]
_TOKENS = 20  # of an answer
_EARS = 10.0  # tokens of a second of audio


@dataclass
class Behaviour:
    """What the server does.

    Attributes:
        faults: What happens to the first requests, one each; None lets one pass.
        always: What happens to each request behind those.
        latency: Seconds before an answer.
        honours: Of n, seed, logprobs, prompt_logprobs, beams.
        key: The key that is accepted; None accepts any.
        retry_after: Seconds that a 429 asks for.
        rivals: First tokens and their probabilities.
        counts_audio: Whether the usage says how many tokens the audio is.
        listens: Whether audio is decoded and checked.
    """

    faults: list[str | None] = field(default_factory=list)
    always: str | None = None
    latency: float = 0.0
    honours: frozenset[str] = frozenset({"n", "seed", "logprobs", "prompt_logprobs", "beams"})
    key: str | None = None
    retry_after: str = "0.2"
    rivals: Mapping[str, float] = field(default_factory=lambda: {"happy": 0.5, "sad": 0.25})
    counts_audio: bool = True
    listens: bool = True


class CutOff(Response):
    """Promises more bytes than it sends, and hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "x", "choi'})


class ChatServer:
    """The server.

    Attributes:
        behaviour: May be changed while it runs.
        bodies: What was asked, in the order of arrival.
        headers: The headers of each.
        times: When each arrived.
        peak: Most requests at once.
        connections: Ports of the clients: one for each connection.
    """

    def __init__(
        self, behaviour: Behaviour | None = None, *, most: int = 2000, seconds: float = 900
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.peak = 0
        self.connections: set[int] = set()
        self._busy = 0
        self._most = most
        self._ends = time.monotonic() + seconds
        # Named TCP, or asyncio does not switch Nagle's algorithm off, which costs 40 ms a request.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        routes = [Route("/v1/chat/completions", self._complete, methods=["POST"])]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Serve until told to stop, or until the time is over."""
        guard = threading.Timer(self._ends - time.monotonic(), self.stop)
        guard.daemon = True
        guard.start()
        asyncio.run(self._server.serve(sockets=[self._socket]))
        guard.cancel()

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._thread.join(5)
        self._socket.close()

    async def _complete(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.times.append(time.monotonic())
        assert request.client is not None
        self.connections.add(request.client.port)
        if len(self.bodies) > self._most:
            self.stop()
        self._busy += 1
        self.peak = max(self.peak, self._busy)
        try:
            await asyncio.sleep(self.behaviour.latency)
            return await self._answer(request, body)
        finally:
            self._busy -= 1

    async def _answer(self, request: Request, body: dict[str, Any]) -> Response:
        behaviour = self.behaviour
        authorisation = request.headers.get("authorization", "")
        if behaviour.key is not None and authorisation != f"Bearer {behaviour.key}":
            return error(
                401, f"Incorrect API key provided: {authorisation[7:]}.", "invalid_api_key"
            )
        if body["model"] != MODEL:
            return error(404, f"The model `{body['model']}` does not exist.", "model_not_found")
        fault = behaviour.faults.pop(0) if behaviour.faults else behaviour.always
        if fault is not None:
            return await self._fault(fault, body)
        return JSONResponse(self._reply(body))

    async def _fault(self, fault: str, body: dict[str, Any]) -> Response:
        if fault == "hang":
            await asyncio.sleep(5)
        if fault == "cut":
            return CutOff()
        if fault in FAULTS:
            return FAULTS[fault]
        if fault == "429":
            headers = {"retry-after": self.behaviour.retry_after}
            return error(429, "Too many requests.", "rate_limit_exceeded", headers=headers)
        if fault.isdecimal():
            return error(int(fault), "Something broke.", "server_error")
        reply = self._reply(body)
        if fault == "truncated":
            text = json.dumps(reply)
            return Response(text[: len(text) // 2], media_type="application/json")
        if fault in CHANGES:
            CHANGES[fault](reply)
        return JSONResponse(reply)

    # --- answers ------------------------------------------------------------------------------

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        honours, wanted = self.behaviour.honours, body.get("n", 1)
        beams = bool(body.get("use_beam_search")) and "beams" in honours
        number = wanted if "n" in honours or beams else 1
        question, seconds = heard(body["messages"]) if self.behaviour.listens else ("", 0.0)
        choices = []
        for index in range(number):
            which = index if beams else self._which(question, body, index)
            choices.append(self._choice(body, index, ANSWERS[which % len(ANSWERS)], beams=beams))
        prompt = math.ceil(len(question) / 4 + seconds * _EARS)
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": _TOKENS * number,
            "total_tokens": prompt + _TOKENS * number,
        }
        if self.behaviour.counts_audio:
            usage["prompt_tokens_details"] = {"audio_tokens": math.ceil(seconds * _EARS)}
        reply = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": f"{MODEL}-2026-01-01",
            "system_fingerprint": "fp_1",
            "choices": choices,
            "usage": usage,
        }
        if "prompt_logprobs" in body and "prompt_logprobs" in honours:
            reply["prompt_logprobs"] = prompt_log_probabilities(question, body)
        return reply

    def _which(self, question: str, body: dict[str, Any], index: int) -> int:
        if not body.get("temperature"):
            return 0
        seed = body.get("seed", len(self.bodies)) if "seed" in self.behaviour.honours else 0
        return hashlib.sha256(f"{question}/{seed + index}".encode()).digest()[0]

    def _choice(
        self, body: dict[str, Any], index: int, text: str, *, beams: bool
    ) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": None,
        }
        if body.get("logprobs") and "logprobs" in self.behaviour.honours:
            each = -0.1 * (index + 1) if beams else -0.1
            content: list[dict[str, Any]] = [
                {"token": "x", "logprob": each, "top_logprobs": []} for _ in range(_TOKENS)
            ]
            if body.get("top_logprobs"):
                content[0]["top_logprobs"] = [
                    {"token": token, "logprob": math.log(probability)}
                    for token, probability in self.behaviour.rivals.items()
                ]
            choice["logprobs"] = {"content": content}
        return choice


def heard(messages: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """The conversation as one text, and the seconds of its audio; checks what is sent."""
    text, seconds = "", 0.0
    for message in messages:
        text += f"<{message['role']}>"
        if isinstance(message["content"], str):
            text += message["content"]
            continue
        for part in message["content"]:
            if part["type"] == "text":
                text += part["text"]
            elif part["type"] == "audio_url":
                text += part["audio_url"]["url"]
            else:
                data = base64.b64decode(part["input_audio"]["data"], validate=True)
                samples, rate = soundfile.read(io.BytesIO(data))
                assert (part["input_audio"]["format"], rate, samples.ndim) == ("wav", 16_000, 1)
                seconds += len(samples) / rate
                text += f"<audio {hashlib.sha256(data).hexdigest()[:8]}>"
    return text, seconds


def prompt_log_probabilities(question: str, body: dict[str, Any]) -> list[Any]:
    """One token a character; the log-probability is minus its code over 100."""
    if body["add_generation_prompt"]:
        assert not body["continue_final_message"]
        question += "<assistant>"
    tokens = [
        {str(ord(one)): {"logprob": -ord(one) / 100, "rank": 1 if one in "ab" else 2}}
        for one in question
    ]
    return [None, *tokens[1:]]


def error(
    status: int,
    message: str,
    code: str,
    *,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error in OpenAI's form."""
    content = {"message": message, "type": "error", "param": param, "code": code}
    return JSONResponse({"error": content}, status, headers)


FAULTS: dict[str, Response] = {
    "filter_400": error(400, "The prompt was flagged.", "content_filter"),
    "refuses_n": error(400, "Only n = 1 is supported.", "unsupported_value", param="n"),
    "refuses_candidates": JSONResponse(
        [{"error": {"code": 400, "message": "Multiple candidates is not enabled for this model"}}],
        400,
    ),
    "bad_audio": error(400, "The audio is too short.", "invalid_value"),
    "no_credit": error(429, "You exceeded your quota.", "insufficient_quota"),
    "forbidden": error(403, f"The key {KEY} may not do this.", "forbidden"),
    "html": Response("<html>Bad gateway</html>", media_type="text/html"),
    "list": JSONResponse([1, 2]),
    "google_key": JSONResponse(
        [{"error": {"code": 400, "message": f"API key not valid: {KEY}.", "status": "INVALID"}}],
        400,
    ),
}


def _refuse(reply: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I'm sorry, I can't help."}
    reply["choices"][0]["message"] = message


CHANGES = {
    "filter_choice": lambda reply: reply["choices"][0].update(
        finish_reason="content_filter", message={"role": "assistant", "content": '{"neutral": 1'}
    ),
    "refusal": _refuse,
    "no_choices": lambda reply: reply.update(choices=[]),
    "null_choices": lambda reply: reply.update(choices=None),
    "odd_choices": lambda reply: reply.update(choices=["x"]),
    "no_content": lambda reply: reply["choices"][0].update(
        finish_reason="length", message={"role": "assistant", "content": None}
    ),
    "aborted": lambda reply: reply["choices"][0].update(finish_reason="abort"),
    "no_usage": lambda reply: reply.pop("usage"),
}


def main() -> None:
    """Serve alone, and say where."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds before an answer")
    parser.add_argument("--most", type=int, default=10_000, help="requests")
    parser.add_argument("--seconds", type=float, default=600, help="before it ends")
    options = parser.parse_args()
    behaviour = Behaviour(latency=options.latency, listens=False)
    server = ChatServer(behaviour, most=options.most, seconds=options.seconds)
    print(server.url, flush=True)
    server.run()


if __name__ == "__main__":
    main()
