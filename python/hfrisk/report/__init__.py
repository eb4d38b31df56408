"""`hfrisk report RUN`: report.json as one page that can be read, printed and passed on."""

from hfrisk.report.page import run

__all__ = ["run"]
