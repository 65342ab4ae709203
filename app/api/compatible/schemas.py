"""The shapes of OpenAI's API, as far as it is spoken here; unknown fields of requests are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas import CitationOut, QuestionText, Shape
from app.types import AnswerMode, RefusalReason

MAX_MODEL = 300


class Lenient(BaseModel):
    """Base of request bodies: clients send many fields that mean nothing here."""

    model_config = ConfigDict(extra="ignore", strict=True)


ModelId = Annotated[QuestionText, Field(max_length=MAX_MODEL, examples=["kb-3f1c9a0d5e7b2468"])]


class ModelOut(Shape):
    id: str = Field(description="A knowledge base's id, with `:` and an adapter's id or `base` behind it.")
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["manualqa"] = "manualqa"
    name: str = Field(description="What people call it.")


class ModelList(Shape):
    object: Literal["list"] = "list"
    data: list[ModelOut]


# --- chat completions -------------------------------------------------------------------------------------------------


class PartIn(Lenient):
    type: str
    text: QuestionText | None = None


class MessageIn(Lenient):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: QuestionText | list[PartIn] | None = None


class StreamOptions(Lenient):
    include_usage: bool | None = None


class ResponseFormat(Lenient):
    type: str


class ChatIn(Lenient):
    """The last user message is the question; messages of other roles than user and assistant are not read."""

    model: ModelId
    messages: list[MessageIn] = Field(
        min_length=1, examples=[[{"role": "user", "content": "What does error E-04 mean?"}]]
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, description="1, or nothing.")
    tools: list[Any] | None = Field(None, description="Refused, unless empty.")
    functions: list[Any] | None = Field(None, description="Refused, unless empty.")
    response_format: ResponseFormat | None = Field(None, description="Refused, but for `text`.")
    logprobs: bool | None = Field(None, description="Refused where true.")
    modalities: list[str] | None = Field(None, description="Refused, but for `text`.")


class ProofOut(Shape):
    """What a message is proved by, as in an AnswerOut; `[n]` in its text is the n-th of `citations`."""

    citations: list[CitationOut]
    refused: bool
    reason: RefusalReason | None
    mode: AnswerMode
    degraded: str | None
    question: str = Field(description="What was searched for and answered: a follow-up stands alone here.")
    adapter: str | None


class MessageOut(ProofOut):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChoiceOut(Shape):
    index: Literal[0] = 0
    message: MessageOut
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class UsageOut(Shape):
    """Tokens of the call that wrote the answer; 0 where the model was not asked, or its server does not tell."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionOut(Shape):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: UsageOut


# --- embeddings -------------------------------------------------------------------------------------------------------

SomeText = Annotated[QuestionText, Field(min_length=1)]


class EmbeddingsIn(Lenient):
    model: ModelId = Field(examples=["multilingual-e5-small"])
    input: SomeText | Annotated[list[SomeText] | list[int] | list[list[int]], Field(min_length=1)] = Field(
        examples=["What does error E-04 mean?"]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, description="Only the model's own.")
    input_type: Literal["query", "passage"] | None = Field(
        None,
        description="What the model is told it reads; by default `query`, which also fits texts that are compared.",
    )


class EmbeddingOut(Shape):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Of length 1; as base64: little-endian float32.")


class EmbeddingUsage(Shape):
    """Tokens that the model read; 0 where it is an endpoint that counts for itself."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(Shape):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingUsage
