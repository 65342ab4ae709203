"""What a notice says, in English and Chinese: numbers and our own words, nothing of a manual or a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from app.alarms.rules import Happening, Rule
from app.types import Language

TEST: Final = "test"

RULE_NAMES: Final[dict[Rule, tuple[str, str]]] = {
    Rule.ERROR_RATE: ("Questions that end in an error", "出错的提问"),
    Rule.EXTRACT_RATE: ("Questions that get an extract, the model being away", "模型不可用、只给出摘录的提问"),
    Rule.UNGROUNDED_RATE: ("Sentences without proof, withheld", "无依据而被隐去的句子"),
    Rule.ANSWER_SECONDS: ("Time of an answer, p95", "回答用时 p95"),
    Rule.JOB_MINUTES: ("A job stands still", "任务停滞"),
    Rule.FREE_DISK_MB: ("Free disk", "剩余磁盘"),
}

_TITLES: Final[dict[str, tuple[str, str]]] = {
    Happening.FIRED: ("Alarm: {rule}", "告警：{rule}"),
    Happening.REMINDER: ("Alarm still firing: {rule}", "告警仍在持续：{rule}"),
    Happening.RECOVERED: ("Recovered: {rule}", "已恢复：{rule}"),
    TEST: ("Test notice: nothing is wrong", "测试通知：一切正常"),
}
_FIGURES: Final = ("Now {figure}, {bound} {limit}; fired {fired}.", "现为 {figure}，{bound} {limit}；触发于 {fired}。")
_BOUNDS: Final = {False: ("at most", "上限"), True: ("at least", "下限")}
_UNKNOWN: Final = ("too little to judge by", "数据不足")
_TEST_BODY: Final = ("This way of telling alarms works.", "此告警通知方式可用。")


@dataclass(frozen=True, slots=True)
class Message:
    """One notice; without a rule it is a test. The same `id` means the same notice, sent a second time."""

    id: str
    happening: Happening | Literal["test"]
    at: datetime
    alarm_id: str | None = None
    rule: Rule | None = None
    figure: float | None = None
    limit: float | None = None
    fired_at: datetime | None = None
    page: str | None = None
    """Address of the page that shows it, where the settings tell ours."""

    def title(self, language: Language) -> str:
        """One line."""
        name = "" if self.rule is None else rule_name(self.rule, language)
        return "manualqa · " + _in(language, _TITLES[self.happening]).format(rule=name)

    def body(self, language: Language) -> str:
        """One sentence."""
        if self.rule is None:
            return _in(language, _TEST_BODY)
        return _in(language, _FIGURES).format(
            figure=shown(self.rule, self.figure, language),
            bound=_in(language, _BOUNDS[self.rule.is_least]),
            limit=shown(self.rule, self.limit, language),
            fired="?" if self.fired_at is None else f"{self.fired_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        )

    def text(self, languages: Sequence[Language]) -> str:
        """All of it, in one language after the other."""
        told = [f"{self.title(one)}\n{self.body(one)}" for one in languages]
        return "\n\n".join(told if self.page is None else [*told, self.page])

    def as_json(self, languages: Sequence[Language]) -> dict[str, Any]:
        """What a webhook gets; `text` is what chats show of it."""
        return {
            "id": self.id,
            "happening": str(self.happening),
            "at": self.at.astimezone(UTC).isoformat(timespec="seconds"),
            "alarm_id": self.alarm_id,
            "rule": None if self.rule is None else self.rule.value,
            "figure": self.figure,
            "limit": self.limit,
            "fired_at": None if self.fired_at is None else self.fired_at.astimezone(UTC).isoformat(timespec="seconds"),
            "page": self.page,
            "text": self.text(languages),
        }


def rule_name(rule: Rule, language: Language) -> str:
    """A rule by the name that people read."""
    return _in(language, RULE_NAMES[rule])


def shown(rule: Rule, figure: float | None, language: Language) -> str:
    """A figure or a limit of a rule with its unit."""
    if figure is None:
        return _in(language, _UNKNOWN)
    if rule.is_share:
        return f"{100 * figure:.1f}%"
    unit = {
        Rule.ANSWER_SECONDS: ("s", "秒"),
        Rule.JOB_MINUTES: ("min", "分钟"),
        Rule.FREE_DISK_MB: ("MB", "MB"),
    }[rule]
    number = f"{figure:,.0f}" if rule is Rule.FREE_DISK_MB else f"{figure:,.1f}"
    return f"{number} {_in(language, unit)}"


def _in(language: Language, words: tuple[str, str]) -> str:
    return words[language == "zh"]
