"""How to audit a run, in report.html. The result of an audit is a page of its own, because it comes later."""

from __future__ import annotations

import shlex
from html import escape

from cards.record import RunRecord
from cards.report import Section

PAGE = "audit.html"
"""Page of an audit next to report.html; it may be added to a run folder and is no file of the record."""


def audit_section(record: RunRecord) -> Section:
    """Render the command that audits the run, and the link to the page that it writes.

    Args:
        record: the run.

    Returns:
        The section.
    """
    name = escape(shlex.quote(record.name))
    body = f"""<h2>Audit</h2>
<p>Compare every claim of this page with the evidence. In the folder that contains the run folder:</p>
<pre tabindex="0"><code>finetune audit {name} --html {name}/{PAGE}</code></pre>
<p>This command writes <a href="{PAGE}">{PAGE}</a> next to this page, with the evidence of each claim.</p>
"""
    return Section(body)
