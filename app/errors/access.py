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


class KeyExpired(Denied):
    """This API key has expired. Ask an administrator for a new one, made with `manualqa keys create`."""

    status = 401
    zh = "此 API 密钥已过期。请向管理员索取用 `manualqa keys create` 新建的密钥。"


class KeyLimited(Denied):
    """This key is limited to some knowledge bases; what you ask for concerns the whole server. Use a key without that limit."""

    zh = "此密钥仅限于部分知识库，而该操作涉及整个服务器。请使用没有此限制的密钥。"


class RateLimited(Denied):
    """This key has made the {limit} requests of a minute. Try again in {retry_after} seconds."""

    status = 429
    zh = "此密钥一分钟内已发出 {limit} 个请求。请在 {retry_after} 秒后重试。"


class QuotaSpent(Denied):
    """This key may ask {limit} questions a day (UTC), of which {left} are left today. Try again in {retry_after} seconds."""

    status = 429
    zh = "此密钥每天（UTC）可提 {limit} 个问题，今天还剩 {left} 个。请在 {retry_after} 秒后重试。"


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
