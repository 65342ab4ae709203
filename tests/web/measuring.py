"""What a page costs: until it can be used, and in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

_LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.longTasks.push([task.startTime, task.duration]);
}).observe({ type: "longtask", buffered: true });
"""
_INTERACTIVE = """() => new Promise((resolve) => {
  const answer = () => {
    const [navigation] = performance.getEntriesByType("navigation");
    const ends = window.longTasks.map(([start, duration]) => start + duration);
    resolve(Math.max(navigation.domContentLoadedEventEnd, ...ends));
  };
  requestAnimationFrame(() => setTimeout(answer, 0));
})"""
_IMAGES = ("image/webp", "image/png", "image/jpeg")


@dataclass(frozen=True, slots=True)
class Cost:
    """`interactive_ms` from the navigation's start until all modules have run and the page answers; `kilobytes` as
    they went over the wire into an empty cache, without page images."""

    interactive_ms: float
    kilobytes: float
    requests: int
    largest: str
    """The address of the largest answer, and its kilobytes."""


@dataclass  # without slots: Playwright marks the object whose methods it calls
class _Transfer:
    """Counts bytes by request, as the browser reports them."""

    images: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)

    def answered(self, event: dict[str, Any]) -> None:
        self.addresses[event["requestId"]] = event["response"]["url"]
        if event["response"]["mimeType"] in _IMAGES:
            self.images.add(event["requestId"])

    def ended(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self.addresses:
            self.sizes[event["requestId"]] = event["encodedDataLength"]


def prepare(page: Page) -> None:
    """Before the first page that `cost` is asked of."""
    page.add_init_script(_LONG_TASKS)


def cost(page: Page, path: str) -> Cost:
    """Opens the page with an empty cache and measures it; what the page before it still fetches does not count."""
    page.goto("about:blank")
    transfer = _Transfer()
    session = page.context.new_cdp_session(page)
    session.on("Network.responseReceived", transfer.answered)
    session.on("Network.loadingFinished", transfer.ended)
    session.send("Network.enable")
    session.send("Network.clearBrowserCache")
    page.goto(path, wait_until="load")
    interactive = page.evaluate(_INTERACTIVE)
    session.detach()
    counted = {request: size for request, size in transfer.sizes.items() if request not in transfer.images}
    most = max(counted, key=counted.__getitem__)
    largest = f"{transfer.addresses[most]} {counted[most] / 1000:.1f} kB"
    return Cost(interactive, sum(counted.values()) / 1000, len(counted), largest)
