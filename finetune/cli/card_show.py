"""`finetune card show`."""

from __future__ import annotations

from finetune.cli.arguments import AsJson, RecordSource


def show(model: RecordSource, as_json: AsJson = False) -> None:
    """Show the model card in the terminal.

    With --json, prints the run record instead. Outside a terminal, the card is printed as Markdown.
    """
    from finetune.downloads.records import fetch_record

    record = fetch_record(model)
    if as_json:
        print(record.dumps(), end="")
        return
    from cards.huggingface import render_body
    from finetune.cli.console import print_markdown

    print_markdown(render_body(record))
