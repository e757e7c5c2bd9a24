"""How several providers put an answer, a refusal and an error on the wire, and where they want key, words and photos.

Each dialect is written from what its provider documents, not from what litellm reads.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Finish = Literal["stop", "length", "filter"]
Body = dict[str, Any]
Usage = tuple[int, int] | None


@dataclass(frozen=True)
class Shown:
    """What a request shows the model, whoever's it is.

    Attributes:
        system: The system's words.
        words: The user's words, part by part.
        pictures: The photos, as bytes, in order.
    """

    system: str
    words: tuple[str, ...]
    pictures: tuple[bytes, ...]


@dataclass(frozen=True)
class Dialect:
    """One provider's API.

    Attributes:
        model: As litellm names it.
        base: Path of `api_base`.
        path: Where questions must arrive.
        key: Name of the header that holds the key, and what stands before it.
        answer: Makes a reply's document of a text, how it ended, and what was used.
        refusal: The document where the model, or a filter, declines; Ollama knows none, and answers nothing.
        error: An error's document.
        shown: Reads a request's document.
    """

    model: str
    base: str
    path: str
    key: tuple[str, str]
    answer: Callable[[str, Finish, Usage], Body]
    refusal: Body
    error: Callable[[int, str], Any]
    shown: Callable[[Body], Shown]

    def __repr__(self) -> str:
        return self.model.partition("/")[0]


def _data(url: str) -> bytes:
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64", "photos go as bytes, never as an address"
    return base64.b64decode(data)


def _openai(text: str, finish: Finish, usage: Usage) -> Body:
    reason = {"stop": "stop", "length": "length", "filter": "content_filter"}[finish]
    message = {"role": "assistant", "content": text}
    document: Body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "local-model",
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
    }  # fmt: skip
    if usage:
        prompt, completion = usage
        document["usage"] = {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        }  # fmt: skip
    return document


def _openai_refusal() -> Body:
    document = _openai("", "stop", (100, 5))
    document["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I cannot judge people."}
    return document


def _openai_error(status: int, message: str) -> Body:
    return {"error": {"message": message, "type": "scripted", "param": None, "code": None}}


def _openai_shown(body: Body) -> Shown:
    system, user = body["messages"]
    parts = user["content"] if isinstance(user["content"], list) else [{"type": "text", "text": user["content"]}]
    words = tuple(part["text"] for part in parts if part["type"] == "text")
    return Shown(
        str(system["content"]),
        words,
        tuple(_data(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"),
    )


def _anthropic(text: str, finish: Finish, usage: Usage) -> Body:
    reason = {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"}[finish]
    document: Body = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_sequence": None,
        "content": [{"type": "text", "text": text}] if text else [], "stop_reason": reason,
    }  # fmt: skip
    if usage:
        document["usage"] = {"input_tokens": usage[0], "output_tokens": usage[1]}
    return document


def _anthropic_shown(body: Body) -> Shown:
    (user,) = body["messages"]
    sources = [part["source"] for part in user["content"] if part["type"] == "image"]
    assert all(source["type"] == "base64" and source["media_type"] == "image/jpeg" for source in sources)
    system = body["system"]
    return Shown(
        system if isinstance(system, str) else "".join(part["text"] for part in system),
        tuple(part["text"] for part in user["content"] if part["type"] == "text"),
        tuple(base64.b64decode(source["data"]) for source in sources),
    )


def _gemini(text: str, finish: Finish, usage: Usage) -> Body:
    reason = {"stop": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}[finish]
    candidate: Body = {"finishReason": reason, "index": 0}
    if text:
        candidate["content"] = {"parts": [{"text": text}], "role": "model"}
    document: Body = {"candidates": [candidate], "modelVersion": "gemini"}
    if usage:
        document["usageMetadata"] = {
            "promptTokenCount": usage[0], "candidatesTokenCount": usage[1], "totalTokenCount": sum(usage),
        }  # fmt: skip
    return document


def _gemini_shown(body: Body) -> Shown:
    (content,) = body["contents"]
    parts = content["parts"]
    words = [part["text"] for part in parts if "text" in part]
    system = body.get("system_instruction") or body.get("systemInstruction")
    if system:
        words.insert(0, "".join(part["text"] for part in system["parts"]))
    pictures = [part.get("inline_data") or part.get("inlineData") for part in parts if "text" not in part]
    return Shown(words[0], tuple(words[1:]), tuple(base64.b64decode(picture["data"]) for picture in pictures))


def _ollama(text: str, finish: Finish, usage: Usage) -> Body:
    document: Body = {
        "model": "llava", "created_at": "2024-01-01T00:00:00Z", "done": True,
        "message": {"role": "assistant", "content": text}, "done_reason": "length" if finish == "length" else "stop",
    }  # fmt: skip
    if usage:
        document |= {"prompt_eval_count": usage[0], "eval_count": usage[1]}
    return document


def _ollama_shown(body: Body) -> Shown:
    system, user = body["messages"]
    pictures = tuple(base64.b64decode(picture) for picture in user.get("images") or ())
    return Shown(system["content"], (user["content"],), pictures)


OPENAI = Dialect(
    "openai/local-model", "/v1", "/v1/chat/completions", ("Authorization", "Bearer "),
    _openai, _openai_refusal(), _openai_error, _openai_shown,
)  # fmt: skip
VLLM = Dialect(
    "hosted_vllm/qwen-vl", "/v1", "/v1/chat/completions", ("Authorization", "Bearer "),
    _openai, _openai_refusal(), _openai_error, _openai_shown,
)  # fmt: skip
OPENROUTER = Dialect(
    "openrouter/some/model", "/api/v1", "/api/v1/chat/completions", ("Authorization", "Bearer "),
    _openai, _openai("", "filter", (100, 0)), lambda status, message: {"error": {"code": status, "message": message}},
    _openai_shown,
)  # fmt: skip
AZURE = Dialect(
    "azure/deployment", "", "/openai/deployments/deployment/chat/completions", ("Api-Key", ""),
    _openai, _openai("", "filter", (100, 0)), _openai_error, _openai_shown,
)  # fmt: skip
ANTHROPIC = Dialect(
    "anthropic/claude-sonnet-4-5", "", "/v1/messages", ("X-Api-Key", ""),
    _anthropic, _anthropic("", "filter", (100, 0)),
    lambda status, message: {"type": "error", "error": {"type": "scripted_error", "message": message}},
    _anthropic_shown,
)  # fmt: skip
GEMINI = Dialect(
    "gemini/gemini-2.0-flash", "/v1beta", "/v1beta/models/gemini-2.0-flash:generateContent", ("X-Goog-Api-Key", ""),
    _gemini,
    {
        "promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "gemini",
        "usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100},
    },
    lambda status, message: {"error": {"code": status, "message": message, "status": "SCRIPTED"}},
    _gemini_shown,
)  # fmt: skip
OLLAMA = Dialect(
    "ollama_chat/llava", "", "/api/chat", ("Authorization", "Bearer "),
    _ollama, _ollama("", "stop", (100, 0)), lambda status, message: {"error": message}, _ollama_shown,
)  # fmt: skip
DIALECTS = (OPENAI, VLLM, OPENROUTER, AZURE, ANTHROPIC, GEMINI, OLLAMA)
