"""What stands against an adapter, its hosting and its promotion."""

from __future__ import annotations

from app.errors.requests import Conflict, InvalidInput, NotFound
from app.errors.unavailable import Unavailable


class AdapterNotFound(NotFound):
    """There is no adapter {ref}. `GET /v1/adapters` lists those there are."""

    zh = "没有适配器 {ref}。`GET /v1/adapters` 可列出现有的适配器。"


class AdapterInvalid(InvalidInput):
    """The adapter cannot be used: {reason}. No model server was told of it."""

    zh = "适配器无法使用：{reason}。它没有被交给任何模型服务。"


class AdapterNameTaken(Conflict):
    """There is already an adapter named {name}. Choose another name."""

    zh = "已有名为 {name} 的适配器。请换一个名称。"


class AdaptersFull(Conflict):
    """There are {limit} adapters already, as many as MQA_MAX_STORED_ADAPTERS allows. Retire some, or raise it."""

    zh = "适配器已有 {limit} 个，达到 MQA_MAX_STORED_ADAPTERS 的上限。请停用一些，或调大该设置。"


class AdapterChanged(Conflict):
    """The files of adapter {ref} are not those that were checked when it came: {reason}. It is not handed to a model server; import it again."""

    zh = "适配器 {ref} 的文件与登记时检查过的不同：{reason}。它不会被交给模型服务；请重新导入。"


class AdapterNotHosted(Conflict):
    """Adapter {ref} is not hosted by the model server now. `POST /v1/adapters/{ref}/host` has it hosted."""

    zh = "适配器 {ref} 目前没有被模型服务托管。`POST /v1/adapters/{ref}/host` 可将其托管。"


class HostingFailed(Unavailable):
    """The model server did not take its adapters: {reason}. It goes on with those that it had."""

    zh = "模型服务未能载入适配器：{reason}。它继续使用原有的适配器。"


class AdapterRetired(Conflict):
    """Adapter {ref} is retired; it cannot be hosted or promoted any more."""

    zh = "适配器 {ref} 已停用，不能再托管或启用。"


class AdapterPromoted(Conflict):
    """Adapter {ref} answers the questions of a knowledge base now. Roll that back first."""

    zh = "适配器 {ref} 正在回答某个知识库的问题。请先回退。"


class ProofUnusable(Conflict):
    """The adapter is not promoted, since its proof does not hold: {reason}. Prove it, or promote it with `force` and a reason."""

    zh = "适配器未启用，因为它的证明不成立：{reason}。请先证明，或说明理由并用 `force` 强制启用。"


class PromotionRefused(Conflict):
    """The adapter is not promoted, since it is worse than the base model: {reason}. The margin is MQA_PROMOTION_MARGIN; `force` with a reason promotes it all the same."""

    zh = "适配器未启用，因为它不如基础模型：{reason}。允许的差距由 MQA_PROMOTION_MARGIN 设定；说明理由并用 `force` 可强制启用。"


class NothingToRollBack(Conflict):
    """Nothing has been promoted for this knowledge base; there is nothing to roll back."""

    zh = "此知识库没有启用过适配器，无可回退。"
