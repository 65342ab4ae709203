"""What a report says around its figures, in English and Chinese."""

from __future__ import annotations

from app.types import Language

WORDS: dict[str, tuple[str, str]] = {
    "evaluation": ("Evaluation", "评测报告"),
    "comparison": ("Comparison", "评测对比"),
    "knowledge_base": ("Knowledge base", "知识库"),
    "question_set": ("Question set", "问题集"),
    "model": ("Model", "模型"),
    "adapter": ("Adapter", "适配器"),
    "settings": ("Settings", "设置"),
    "date": ("Date", "日期"),
    "run": ("Run", "评测编号"),
    "questions": ("Questions", "问题"),
    "fingerprint": ("Index fingerprint", "索引指纹"),
    "versions": ("Versions", "版本"),
    "no_model": ("none: search only", "无（仅检索）"),
    "unknown": ("not recorded", "未记录"),
    "mode_answers": ("answers", "问答"),
    "mode_retrieval": ("search only", "仅检索"),
    "setting_mode": ("mode", "方式"),
    "setting_answerable": ("sample, answerable", "抽样：有答案"),
    "setting_unanswerable": ("sample, unanswerable", "抽样：无答案"),
    "setting_seed": ("seed", "随机种子"),
    "setting_limit": ("passages", "段落数"),
    "setting_threshold": ("threshold", "阈值"),
    "setting_language": ("language", "语言"),
    "setting_keep_doubtful": ("doubtful answers kept", "保留存疑回答"),
    "setting_judge": ("model as judge", "模型评判"),
    "setting_parallel": ("parallel", "并行数"),
    "setting_adapter": ("adapter", "适配器"),
    "yes": ("yes", "是"),
    "unfinished": (
        "This run is not finished: {done} of {all} questions are in. All figures are of these.",
        "本次评测尚未完成：已有 {done}/{all} 个问题。以下数字仅涵盖这些问题。",
    ),
    "failed_note": (
        "{failed} of {all} questions failed with an error and count as not answered.",
        "{all} 个问题中有 {failed} 个因错误而失败，按未回答计。",
    ),
    "headline": ("At a glance", "概览"),
    "interval_note": (
        "Ranges are 95% confidence intervals; n is the number of questions that a figure is of.",
        "区间为 95% 置信区间；n 为该数字所依据的问题数。",
    ),
    "n_of": ("n = {n}", "n = {n}"),
    "better_higher": ("higher is better", "越高越好"),
    "better_lower": ("lower is better", "越低越好"),
    "seconds_title": ("Seconds per question", "每题用时（秒）"),
    "times": ("median / 95th percentile", "中位数 / 第 95 百分位"),
    "seconds_short": ("{value} s", "{value} 秒"),
    "verdicts": ("Verdicts", "判定"),
    "reasons": ("Why not right", "未答对的原因"),
    "no_reasons": ("Nothing to explain.", "没有需要说明的问题。"),
    "by_language": ("By language", "按语言"),
    "by_type": ("By question type", "按问题类型"),
    "by_document": ("By document", "按文档"),
    "of_metric": ("{metric}, with its 95% interval", "{metric}，附 95% 置信区间"),
    "worst_shown": (
        "The {shown} lowest of {all}; the table below has all.",
        "仅列最低的 {shown} 项，共 {all} 项；全部见下表。",
    ),
    "risk_coverage": ("Risk and coverage", "风险—覆盖率曲线"),
    "risk_coverage_note": (
        "When only the surest share of the questions is answered (across), this share of answers is not right (up).",
        "若只回答最有把握的一部分问题（横轴），其中答得不对的比例（纵轴）。",
    ),
    "coverage": ("questions answered", "作答比例"),
    "risk": ("answers not right", "答错比例"),
    "risk_point": ("{coverage} answered: {risk} not right", "作答 {coverage} 时，答错 {risk}"),
    "latency": ("How long answers took", "用时分布"),
    "latency_note": (
        "Questions by seconds until the whole answer was there.",
        "按得到完整回答的用时（秒）统计的问题数。",
    ),
    "latency_note_search": (
        "Questions by seconds until the sources were there.",
        "按得到出处的用时（秒）统计的问题数。",
    ),
    "seconds": ("seconds", "秒"),
    "stage": ("Stage", "阶段"),
    "mean": ("mean", "平均"),
    "bin": ("{low}–{high} s: {n}", "{low}–{high} 秒：{n}"),
    "judge": ("Model as judge", "模型评判"),
    "judge_note": (
        "Agreement with the metric: {agreement} of {n} questions{kappa}.",
        "与确定性指标的一致率：{agreement}（{n} 题）{kappa}。",
    ),
    "kappa": (", Cohen's kappa {value}", "，Cohen κ 系数 {value}"),
    "all_figures": ("All figures", "全部指标"),
    "all_groups": ("Figures by group", "分组指标"),
    "metric": ("Metric", "指标"),
    "value": ("Value", "数值"),
    "interval": ("95% interval", "95% 置信区间"),
    "group": ("Group", "分组"),
    "every_question": ("Every question", "全部问题"),
    "search": ("Search", "搜索"),
    "search_hint": ("question, answer, source …", "问题、回答、出处……"),
    "verdict": ("Verdict", "判定"),
    "language": ("Language", "语言"),
    "type": ("Type", "类型"),
    "document": ("Document", "文档"),
    "reason": ("Reason", "原因"),
    "all": ("all", "全部"),
    "reset": ("Reset", "重置"),
    "open_all": ("Open all", "全部展开"),
    "close_all": ("Close all", "全部收起"),
    "shown_of": ("{shown} of {all} questions", "{shown} / {all} 个问题"),
    "none_match": ("No question matches.", "没有符合条件的问题。"),
    "left_out": (
        "{count} more questions with a good verdict are in the JSON and CSV files only, to keep this page light.",
        "为使页面轻便，另有 {count} 个判定良好的问题仅列于 JSON 与 CSV 文件中。",
    ),
    "sort_by": ("Sort by", "排序"),
    "number": ("No.", "序号"),
    "question": ("Question", "问题"),
    "answer": ("Answer", "回答"),
    "no_answer": ("no answer", "无回答"),
    "accepted": ("Accepted answers", "标准答案"),
    "accepted_none": ("none: the manuals do not answer this", "无：手册中没有答案"),
    "accepted_unlabelled": ("none given", "未给出"),
    "and_more": ("and {count} more", "另有 {count} 个"),
    "right_pages": ("Right pages", "正确页"),
    "sources": ("Sources found", "检索到的出处"),
    "badge_refused": ("false refusal", "误拒"),
    "badge_unlabelled": ("not labelled", "未标注"),
    "no_sources": ("nothing found", "未检索到"),
    "page": ("p. {page}", "第 {page} 页"),
    "pages": ("pp. {first}–{last}", "第 {first}–{last} 页"),
    "place": ("{name}, {page}", "{name}，{page}"),
    "named": ("{name}: {text}", "{name}：{text}"),
    "comma": (", ", "，"),
    "semicolon": ("; ", "；"),
    "cosine": ("cosine", "余弦"),
    "passed": ("passed", "通过"),
    "below": ("below threshold", "低于阈值"),
    "right_page": ("right page", "正确页"),
    "citations": ("Citations", "引用"),
    "citation_true": ("quote on the page", "引文与原页相符"),
    "citation_false": ("quote not on the page", "原页无此引文"),
    "citation_unchecked": ("not checked", "未核对"),
    "withheld": ("Withheld sentences", "未采用的句子"),
    "why": ("Why", "原因"),
    "error": ("Error", "错误"),
    "degraded": ("The model did not answer; this is an extract", "模型未作答，此为摘录"),
    "judged_right": ("right", "对"),
    "judged_wrong": ("wrong", "错"),
    "rank": ("Rank of the right page", "正确页名次"),
    "doubt": ("Doubt", "存疑度"),
    "tokens": ("Tokens", "词元"),
    "tokens_in_out": ("{read} read, {written} written", "读入 {read}，写出 {written}"),
    "untitled": ("(none)", "（无）"),
    "lang_zh": ("Chinese", "中文"),
    "lang_en": ("English", "英文"),
    "worst_reasons": ("Most frequent reasons", "最常见的原因"),
    "wrong_questions": ("Not right", "未答对的问题"),
    "more_wrong": ("… and {count} more; the report has them all.", "……另有 {count} 个，详见报告。"),
    "before": ("Before", "之前"),
    "after": ("After", "之后"),
    "difference": ("Difference", "差异"),
    "p_value": ("p", "p 值"),
    "p_note": (
        "Over the {shared} questions in both runs; p is of a paired two-sided test, and p < 0.05 is marked.",
        "基于两次评测共有的 {shared} 个问题。p 值来自配对双侧检验；p < 0.05 的差异已标出。",
    ),
    "change": ("Change", "变化"),
    "points_note": ("Differences of shares are in percentage points.", "比例的差异以百分点计。"),
    "only_one": (
        "Left out: {before} questions only in the first run and {after} only in the second.",
        "未计入：仅第一次评测含有的 {before} 个问题，仅第二次含有的 {after} 个问题。",
    ),
    "got_better": ("Better", "变好"),
    "got_worse": ("Worse", "变差"),
    "differences": ("Differences", "差异"),
    "changes": ("Question by question", "逐题变化"),
    "no_changes": ("No verdict changed.", "判定没有变化。"),
    "improved": ("better", "更好"),
    "worsened": ("worse", "更差"),
}


WITHHELD: dict[str, str] = {
    "no passage says this": "没有段落这样说",
    "not in the cited text": "引用的原文中没有",
    "it holds an address, markup or rules that the manuals do not have": "其中有手册没有的网址、标记或规则",
    "the cited text is about something else": "引用的原文说的是别的内容",
    "it only repeats the question": "只是重复了问题",
}
"""Why the service withheld a sentence, as it says it itself, and in Chinese; what follows a colon stays as it is."""


class Words:
    """Looks words up in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language

    def __call__(self, key: str, **params: object) -> str:
        english, chinese = WORDS[key]
        return (chinese if self.language == "zh" else english).format(**params)

    def withheld(self, reason: str) -> str:
        """Why a sentence was withheld; a reason that a later version brought stays as it is."""
        if self.language == "en":
            return reason
        sentence, colon, rest = reason.partition(": ")
        return WITHHELD.get(sentence, sentence) + (f"：{rest}" if colon else "")

    def setting(self, name: str) -> str:
        """A setting's name in words, or as it is where a later version brought it."""
        return self(f"setting_{name}") if f"setting_{name}" in WORDS else name

    def language_name(self, code: str) -> str:
        """A language's name where it is Chinese or English, else its code."""
        primary = code.lower().partition("-")[0]
        return self(f"lang_{primary}") if primary in ("zh", "en") else code
