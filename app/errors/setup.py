"""What keeps a server or a command from starting."""

from __future__ import annotations

from app.errors.base import ManualqaError


class SetupError(ManualqaError):
    """The program cannot start as it is set up."""

    zh = "按当前设置，程序无法启动。"


class DataFolderLocked(SetupError):
    """The data folder {folder} is in use by another manualqa ({owner}). Stop that one, or choose another folder with MQA_DATA_DIR."""

    zh = "数据文件夹 {folder} 正被另一个 manualqa 使用（{owner}）。请先停止它，或用 MQA_DATA_DIR 选择其他文件夹。"


class DataFolderUnusable(SetupError):
    """The data folder {folder} cannot be used: {reason}. Choose a folder that this user may write to with MQA_DATA_DIR."""

    zh = "数据文件夹 {folder} 无法使用：{reason}。请用 MQA_DATA_DIR 选择当前用户可写入的文件夹。"


class BlobStoreUnusable(SetupError):
    """The original files cannot be kept in the bucket {bucket} at {endpoint}: {reason}. Check the settings MQA_S3_*."""

    zh = "无法将原始文件保存到 {endpoint} 的存储桶 {bucket}：{reason}。请检查 MQA_S3_* 各项设置。"


class BackupInvalid(SetupError):
    """The backup in {folder} cannot be restored: {reason}. Take another one."""

    zh = "无法恢复 {folder} 中的备份：{reason}。请改用另一份备份。"


class BackupTargetTaken(SetupError):
    """{folder} is there already. Choose a folder that is not, or an empty one."""

    zh = "{folder} 已存在。请选择不存在的或空的文件夹。"


class RestoreRefused(SetupError):
    """The data folder {folder} is not empty, and a backup is restored into an empty one. Choose another with MQA_DATA_DIR."""

    zh = "数据文件夹 {folder} 不为空，备份只能恢复到空文件夹。请用 MQA_DATA_DIR 选择其他文件夹。"


class RestoreUnfinished(SetupError):
    """A backup was being restored into the data folder {folder} and is not whole there. Run `manualqa restore` again."""

    zh = "数据文件夹 {folder} 中的备份尚未恢复完整。请重新运行 `manualqa restore`。"


class MoveRefused(SetupError):
    """Nothing was moved; what is in the way stands above. Mend it and run `manualqa migrate` again."""

    zh = "没有迁移任何内容，原因见上。请处理后重新运行 `manualqa migrate`。"


class MoveSourceMissing(SetupError):
    """There is no catalogue in {folder} to be moved. Name the data folder with MQA_DATA_DIR, or the database with MQA_DATABASE_URL."""

    zh = "{folder} 中没有可迁移的目录数据库。请用 MQA_DATA_DIR 指定数据文件夹，或用 MQA_DATABASE_URL 指定数据库。"


class MoveToItself(SetupError):
    """The target's settings name the same places as those of this set-up, so there is nothing to move. Name others there."""

    zh = "目标设置指向的位置与当前部署完全相同，没有可迁移的内容。请在其中指定其他位置。"


class MoveTargetTaken(SetupError):
    """The target {place} cannot be moved into: {reason}. Choose an empty one in the target's settings."""

    zh = "无法迁移到 {place}：{reason}。请在目标设置中选择一个空的位置。"


class MoveInUse(SetupError):
    """Processes work on the database {database}: {processes}. Stop all of them first, and start none until the migration has ended."""

    zh = "有进程正在使用数据库 {database}：{processes}。请先全部停止，迁移结束前也不要启动。"


class MoveDoesNotFit(SetupError):
    """Some values are longer or larger than Postgres takes in these columns: {columns}. Shorten them, or delete what they belong to."""

    zh = "以下列中有些值超出了 Postgres 的长度或大小限制：{columns}。请缩短它们，或删除其所属的内容。"


class MoveUnfinished(SetupError):
    """The catalogue in {database} is not moved to its end. Run `manualqa migrate` again until it says that both sides agree."""

    zh = "{database} 中的目录数据库尚未迁移完整。请重新运行 `manualqa migrate`，直到它显示两侧一致。"


class SettingsFileInvalid(SetupError):
    """The settings in {file} cannot be used: {reason}."""

    zh = "{file} 中的设置无法使用：{reason}。"


class PortInUse(SetupError):
    """The address {host}:{port} is in use by another program. Stop it, or choose another port with MQA_PORT or --port."""

    zh = "地址 {host}:{port} 已被其他程序占用。请停止该程序，或用 MQA_PORT 或 --port 换一个端口。"


class AddressUnusable(SetupError):
    """The server cannot listen on {host}:{port}. Choose an address of this machine with MQA_HOST or --host, and a port above 1023 with MQA_PORT or --port."""

    zh = "服务器无法监听 {host}:{port}。请用 MQA_HOST 或 --host 选择本机地址，用 MQA_PORT 或 --port 选择大于 1023 的端口。"


class UnknownModel(SetupError):
    """There is no model named {name}. Known names: {known}. A folder, a .gguf file or a model hub id (owner/name) works too."""

    zh = "没有名为 {name} 的模型。已知名称：{known}。也可使用文件夹、.gguf 文件或模型库 ID（owner/name）。"


class WeightsMissing(SetupError):
    """The weights of {name} are not on this machine ({reason}). With a network, run `manualqa models pull {name}`; without one, copy the model folder from another machine to {folder}."""

    zh = "本机没有 {name} 的权重（{reason}）。有网络时请运行 `manualqa models pull {name}`；没有网络时，请从其他机器把模型文件夹复制到 {folder}。"


class WeightsCorrupt(SetupError):
    """The file {file} of {name} does not have the expected sha256 and was refused. Run `manualqa models pull {name}` again."""

    zh = "{name} 的文件 {file} 与预期的 sha256 不符，已拒绝。请重新运行 `manualqa models pull {name}`。"


class ExtraMissing(SetupError):
    """{feature} needs an optional part: install it with `pip install 'manualqa[{extra}]'`."""

    zh = "{feature} 需要可选组件：请运行 `pip install 'manualqa[{extra}]'`。"


class MilvusAddressMissing(SetupError):
    """MQA_VECTOR_STORE is milvus, but no server is named. Set MQA_MILVUS_URI to its address, such as http://127.0.0.1:19530."""

    zh = "MQA_VECTOR_STORE 为 milvus，但没有指定服务器。请把 MQA_MILVUS_URI 设为其地址，例如 http://127.0.0.1:19530。"


class ModelServerKeyMissing(SetupError):
    """The model server is for others and needs a key of 32 or more characters: set MQA_LLM_API_KEY there and where it is asked."""

    zh = "单独运行的模型服务器供其他进程使用，须有至少 32 个字符的密钥：请在两端设置 MQA_LLM_API_KEY。"


class SecretsUnusable(SetupError):
    """The secrets in {folder} cannot be used: {reason}. Nothing that was there has been changed."""

    zh = "{folder} 中的密钥无法使用：{reason}。已有的文件均未改动。"


class ServerNotRunning(SetupError):
    """No manualqa server answers at {url}. Start one with `manualqa serve`, or set MQA_URL."""

    zh = "{url} 上没有运行中的 manualqa 服务器。请用 `manualqa serve` 启动，或设置 MQA_URL。"


class OwnServerFailed(SetupError):
    """The temporary server of this command did not start; it said: {said}"""

    zh = "本命令的临时服务器未能启动，其最后的输出为：{said}"


class MigrationFailed(SetupError):
    """The database in {folder} could not be upgraded to this version: {reason}. It was left as it was; a newer manualqa may have written it."""

    zh = "{folder} 中的数据库无法升级到当前版本：{reason}。数据保持原样；它可能是由更新版本的 manualqa 写入的。"


class DatabaseUnusable(SetupError):
    """The database {database} cannot be used: {reason}. Check MQA_DATABASE_URL and the Postgres server."""

    zh = "数据库 {database} 无法使用：{reason}。请检查 MQA_DATABASE_URL 与 Postgres 服务器。"


class ProcessesNotShared(SetupError):
    """Several processes cannot work together as this one is set up: {reason}."""

    zh = "按此进程的设置，多个进程无法协同工作：{reason}。"
