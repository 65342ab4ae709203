"""Reports of a run and of the comparison of two: HTML, JSON, CSV and the terminal, in English and Chinese."""

from eval.report.comparison_page import comparison_html
from eval.report.console import terminal
from eval.report.export import csv_text, json_text
from eval.report.page import content_security_policy
from eval.report.summary_page import html

__all__ = ["comparison_html", "content_security_policy", "csv_text", "html", "json_text", "terminal"]
