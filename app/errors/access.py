"""Who may not do what was asked."""

from __future__ import annotations

from app.errors.base import ManualqaError


class Denied(ManualqaError):
    """This key may not do that."""

    status = 403
    zh = "此密钥无权执行该操作。"


class KeyMissing(Denied):
    """An API key is needed. Send it as `Authorization: Bearer <key>`."""

    status = 401
    zh = "需要 API 密钥。请放在请求头 `Authorization: Bearer <密钥>` 中。"


class KeyInvalid(Denied):
    """The API key is not valid. Check it, or make a new one with `manualqa keys create`."""

    status = 401
    zh = "API 密钥无效。请检查密钥，或用 `manualqa keys create` 新建一个。"


class RoleTooLow(Denied):
    """This key has the role {role}; {needed} is needed."""

    zh = "此密钥的角色是 {role}，该操作需要 {needed}。"


class SessionEnded(Denied):
    """You are signed out: the session has ended. Sign in again."""

    status = 401
    zh = "登录已失效，请重新登录。"


class SignInLinkInvalid(Denied):
    """This sign-in link was used already, is older than an hour, or was opened on another machine. Make a new one with `manualqa link`, or sign in with an API key."""

    status = 401
    zh = "此登录链接已被使用、已超过一小时，或不是在服务器本机打开的。请用 `manualqa link` 生成新链接，或使用 API 密钥登录。"


class CrossSite(Denied):
    """The request came from another site and was refused. Open the page again and repeat it there."""

    zh = "请求来自其他网站，已被拒绝。请重新打开本页面后再操作。"
