"""What `manualqa migrate` says, in English and Chinese."""

from __future__ import annotations

MIGRATE_WORDS: dict[str, tuple[str, str]] = {
    "move_checking": ("looking at both sides ...", "正在检查两侧……"),
    "move_in_the_way": ("in the way: {text}", "阻碍：{text}"),
    "move_catalogue": ("catalogue", "目录数据库"),
    "move_originals": ("original files", "原始文件"),
    "move_index": ("index", "索引"),
    "move_folders": ("adapters and trainings", "适配器与训练"),
    "move_from_to": ("{part}: {source} → {target}", "{part}：{source} → {target}"),
    "move_stays": ("{part}: stays where it is, {source}", "{part}：保持原位，{source}"),
    "move_amounts": (
        "{rows} rows, {originals} original files, {vectors} vectors in {indexes} indexes, {folders} other folders",
        "{rows} 行，{originals} 个原始文件，{indexes} 个索引中的 {vectors} 个向量，{folders} 个适配器与训练文件夹",
    ),
    "move_goes_on": ("A migration that was broken off goes on.", "继续此前中断的迁移。"),
    "move_dry": (
        "Nothing was moved; without --dry-run this would be done.",
        "未迁移任何内容；去掉 --dry-run 即会执行以上操作。",
    ),
    "move_progress": ("{part}: {done}/{total}", "{part}：{done}/{total}"),
    "moving_rows": ("rows of the catalogue", "目录数据库的行"),
    "moving_originals": ("original files", "原始文件"),
    "moving_vectors": ("vectors", "向量"),
    "moving_keywords": ("keywords, by document", "关键词（按文档）"),
    "moving_folders": ("folders of adapters and trainings", "适配器与训练文件夹"),
    "moving_comparing_rows": ("comparing rows", "比对行"),
    "moving_comparing_originals": ("comparing hashes of original files", "比对原始文件的哈希"),
    "moving_comparing_vectors": ("comparing vectors", "比对向量"),
    "moving_questions": ("asking both sides", "向两侧提问"),
    "part_rows": ("rows of {name}", "{name} 的行"),
    "part_originals": ("original files by hash", "原始文件（按哈希）"),
    "part_vectors": ("vectors of {name}", "{name} 的向量"),
    "part_keywords": ("keyword entries of {name}", "{name} 的关键词条目"),
    "part_files": ("files of {name}", "{name} 的文件"),
    "move_same": ("{part}: {source} and {target}, the same", "{part}：{source} 与 {target}，一致"),
    "move_different": (
        "{part}: {source} and {target}, {different} not the same",
        "{part}：{source} 与 {target}，{different} 项不一致",
    ),
    "move_answers": (
        "{asked} questions asked of both, {different} answered differently; cosines differ by {largest:.1e} at most",
        "向两侧各提 {asked} 个问题，结果不一致 {different} 个；余弦相差至多 {largest:.1e}",
    ),
    "move_order": (
        "the same first passage: {same_first} times; the same first {hits} in the same order: {same_order} times",
        "首个段落相同 {same_first} 次；前 {hits} 个段落及顺序均相同 {same_order} 次",
    ),
    "move_lost": (
        "{count} original files were missing or damaged already and were not moved: {hashes}",
        "{count} 个原始文件此前已缺失或损坏，未迁移：{hashes}",
    ),
    "move_agrees": (
        "Both sides agree. Start the service with the target's settings, and this one no more.",
        "两侧一致。请用目标设置启动服务，并不再启动当前部署。",
    ),
    "move_disagrees": (
        "The two sides do not agree; no server starts on the target before they do. Run the same command again.",
        "两侧不一致；一致之前，目标上不会启动服务。请重新运行同一命令。",
    ),
}
