"""`manualqa alarms` shows how the rules stand; `manualqa alarms test` tries the ways that notices go out on."""

from __future__ import annotations

from typing import Annotated

import typer

from app.alarms.messages import rule_name, shown
from app.alarms.rules import Rule
from app.cli.terminal import FAILED, terminal

alarms_cli = typer.Typer(help="Alarms, and who is told of them. · 告警与通知。")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON. · 输出 JSON。")]


@alarms_cli.callback(invoke_without_command=True)
def list_alarms(context: typer.Context, json_: JsonFlag = False) -> None:
    """Show how every rule stands, and what has fired. · 查看各规则状态与历次告警。"""
    if context.invoked_subcommand is not None:
        return
    at = terminal()
    with at.client() as client:
        found = client.get("/v1/alarms", limit=20)
    if json_:
        at.print_json(found)
        return
    language = at.words.language
    for one in found["rules"]:
        rule = Rule(one["rule"])
        if one["limit"] is None:
            state, figures = at.words("alarm_off"), ""
        else:
            state = at.words(f"alarm_{one['state']}")
            bound = at.words("alarm_at_least" if rule.is_least else "alarm_at_most")
            figures = f"{shown(rule, one['figure'], language)} ({bound} {shown(rule, one['limit'], language)})"
        at.out.print(f"{state}  {rule_name(rule, language)}  {figures}", markup=False, highlight=False, soft_wrap=True)
    for alarm in found["alarms"]:
        rule = Rule(alarm["rule"])
        times = at.words("alarm_fired_at", moment=_moment(alarm["fired_at"]))
        if alarm["recovered_at"] is not None:
            times += ", " + at.words("alarm_recovered_at", moment=_moment(alarm["recovered_at"]))
        line = f"{alarm['id']}  {rule_name(rule, language)} {shown(rule, alarm['figure'], language)}  {times}"
        at.out.print(line, markup=False, highlight=False, soft_wrap=True)
    if not found["ways"]:
        at.err.print(at.words("alarm_no_way"), markup=False, soft_wrap=True)


@alarms_cli.command("test")
def send_test(json_: JsonFlag = False) -> None:
    """Send a test notice on every way; exit code 1 where one fails. · 用所有方式发送测试通知；失败时退出码为 1。"""
    at = terminal()
    with at.client() as client:
        tried = client.post("/v1/alarms/test", {})["tried"]
    if json_:
        at.print_json({"tried": tried})
    elif not tried:
        at.err.print(at.words("alarm_no_way"), markup=False, soft_wrap=True)
    else:
        for one in tried:
            said = at.words("alarm_sent" if one["sent"] else "alarm_not_sent", reason=one["reason"])
            at.out.print(f"{at.words('alarm_way_' + one['way'])}: {said}", markup=False, soft_wrap=True)
    if not tried or not all(one["sent"] for one in tried):
        raise typer.Exit(FAILED)


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ") + " UTC"
