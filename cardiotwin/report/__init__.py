"""A report that a clinician can read, in one HTML file, and its numbers for machines."""

from cardiotwin.report.facts import answer
from cardiotwin.report.html import write_report

__all__ = ["answer", "write_report"]
