"""Long lists in pages: where one is, and the addresses of the others."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Paging:
    """Page `wanted` of `total` entries, `size` to a page; one past the end shows the last."""

    total: int
    size: int
    wanted: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def page(self) -> int:
        return min(self.wanted, self.pages)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.size

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.size, self.total)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list at an address, with what was asked for."""

    path: str
    asked: dict[str, str]
    paging: Paging

    def address(self, page: int) -> str:
        """Where another page of the same list is."""
        asked = {name: value for name, value in self.asked.items() if value}
        return f"{self.path}?{urlencode({**asked, 'page': page})}"

    @property
    def narrowed(self) -> bool:
        """Whether something keeps entries out of it."""
        return any(value for name, value in self.asked.items() if name != "sort")
