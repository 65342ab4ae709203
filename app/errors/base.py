"""What every error of the tree is: a code, a status, and a sentence in both languages."""

from __future__ import annotations

import inspect
from typing import ClassVar

from app.phrases import PHRASE_PARAMETERS, translated
from app.types import Language


class ManualqaError(Exception):
    """Something went wrong inside manualqa; the log has the details."""

    status: ClassVar[int] = 500
    zh: ClassVar[str] = "manualqa 内部出错；详情见日志。"

    def __init__(self, detail: str | None = None, **params: object) -> None:
        self.detail = detail
        self.params = params
        super().__init__(self.message("en"))

    @classmethod
    def code(cls) -> str:
        """The stable machine name: `DataFolderLocked` is `data_folder_locked`."""
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    def stored_params(self) -> dict[str, int | float | str]:
        """`params` as a database keeps them."""
        return {key: value if isinstance(value, int | float) else str(value) for key, value in self.params.items()}

    def message(self, language: Language) -> str:
        """The sentence for people, in the language asked for."""
        template = self.zh if language == "zh" else " ".join((inspect.getdoc(type(self)) or "").split())
        return template.format_map(
            _Blanks({name: _shown(name, value, language) for name, value in self.params.items()})
        )


def _shown(name: str, value: object, language: Language) -> object:
    return translated(value, language) if name in PHRASE_PARAMETERS and isinstance(value, str) else value


class _Blanks(dict[str, object]):
    """A missing parameter must not hide the error that is being reported."""

    def __missing__(self, key: str) -> str:
        return "?"
