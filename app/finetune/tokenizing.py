"""Examples as tokens: the prompt as it is served, the completion, the end of the turn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import TrainingBaseUnusable
from app.finetune.examples import ChatMessage, Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token that the loss does not cover."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of a prompt and of what is learned behind it."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)

    @property
    def input_ids(self) -> list[int]:
        return [*self.prompt, *self.completion]

    @property
    def labels(self) -> list[int]:
        """The token to learn at each place; `IGNORED` throughout the prompt."""
        return [IGNORED] * len(self.prompt) + list(self.completion)


class ChatTokenizer:
    """The tokenizer and chat template of a training base."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self.tokenizer = tokenizer
        self._name = name

    @classmethod
    def load(cls, folder: Path, name: str) -> ChatTokenizer:
        """That of a folder, without asking any network; raises `TrainingBaseUnusable`."""
        from transformers import AutoTokenizer  # noqa: PLC0415 - of an optional extra, and heavy

        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise TrainingBaseUnusable(str(error), name=name, reason="its tokenizer cannot be loaded") from error
        return cls(tokenizer, name)

    def prompt(self, messages: tuple[ChatMessage, ...]) -> tuple[int, ...]:
        """The tokens that a server reads before it writes the first one of its reply."""
        return self._ids(self._text(messages, waits=True))

    def encode(self, example: Example) -> Encoded:
        """The tokens of an example; the completion ends with the token that ends a turn.

        Raises `TrainingBaseUnusable` where the chat template writes a turn in another way than it begins one.
        """
        asked = self._text(example.messages, waits=True)
        answered = (*example.messages, ChatMessage(role="assistant", content=example.completion))
        whole = self._text(answered, waits=False)
        if not whole.startswith(asked + example.completion):
            raise TrainingBaseUnusable(name=self._name, reason="its chat template changes what was said")
        end = self._ids(whole[len(asked) + len(example.completion) :])
        if not end:
            raise TrainingBaseUnusable(name=self._name, reason="its chat template does not end a turn")
        return Encoded(self._ids(asked), (*self._ids(example.completion), end[0]))

    def text(self, ids: tuple[int, ...]) -> str:
        """The tokens as text, marks of turns included."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=False))

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _text(self, messages: tuple[ChatMessage, ...], *, waits: bool) -> str:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=waits))
