"""Command-line app: one module per command, one exit code per kind of failure.

A command is a function in a module of its own: it takes arguments, makes one call and prints the result.
Heavy imports are inside the functions, so that `finetune --help` is immediate.
"""

from __future__ import annotations

import os
import sys
from errno import EACCES, ENAMETOOLONG, ENOSPC, EPERM
from io import TextIOWrapper

import typer

from cards.errors import InputError
from finetune.cli.annotate_next import annotate_next
from finetune.cli.audit import audit
from finetune.cli.benchmark import benchmark
from finetune.cli.card import card
from finetune.cli.cp import cp
from finetune.cli.data import data
from finetune.cli.download import download
from finetune.cli.empty_arguments import check_not_empty
from finetune.cli.evaluate import evaluate
from finetune.cli.extensions import ExtensibleGroup
from finetune.cli.init import init
from finetune.cli.join_tiles import join_tiles
from finetune.cli.ls import ls
from finetune.cli.models import models
from finetune.cli.plugin import plugin
from finetune.cli.predict import predict
from finetune.cli.publish import publish
from finetune.cli.run import run
from finetune.cli.schema import schema
from finetune.cli.sign import sign
from finetune.cli.signals import exit_code, handle_termination
from finetune.cli.stop import stop
from finetune.cli.test_package import test_package
from finetune.cli.validate import validate
from finetune.cli.verify import verify
from finetune.cli.version import global_options
from finetune.cli.view import view

INTERRUPTED = 130
REFUSED = {
    ENAMETOOLONG: "the name is too long",
    EACCES: "no permission to read or write it",
    EPERM: "no permission to read or write it",
}
"""Errors of the operating system at any path that a user names, such as a file in a folder without access."""

LONGEST_NAME = 255  # characters of a path in an error
COMMANDS = (
    init,
    run,
    stop,
    validate,
    ls,
    cp,
    download,
    predict,
    annotate_next,
    data,
    join_tiles,
    evaluate,
    benchmark,
    audit,
    test_package,
    sign,
    verify,
    publish,
    schema,
    view,
)

app = typer.Typer(
    cls=ExtensibleGroup,
    rich_markup_mode=None,  # rich takes longer to import than everything else that `--help` needs
    help="Fine-tune public segmentation models on your own microscopy images, "
    "with model cards that anyone can audit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(global_options)
for command in COMMANDS:
    app.command()(command)
app.add_typer(card, name="card")
app.add_typer(plugin, name="plugin")
app.add_typer(models, name="models")


def main() -> None:
    """Run a command.

    Exit codes: 0 success, 2 invalid input (one line, no traceback), 130 interrupted, 143 terminated; 1 and 3
    are results of a command, such as an image that failed or a broken claim.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a code page without µ or × must not end the command
            stream.reconfigure(errors="backslashreplace")
    try:
        handle_termination()
        check_not_empty(sys.argv[1:])
        app()
    except KeyboardInterrupt:  # before the command took over
        sys.exit(exit_code(INTERRUPTED))
    except SystemExit as stop:
        sys.exit(exit_code(INTERRUPTED) if stop.code == INTERRUPTED else stop.code)
    except InputError as error:
        for line in str(error).splitlines():
            print(f"finetune: {line}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno == ENOSPC and not error.filename:
            print("finetune: standard output: the disk is full", file=sys.stderr)
            os._exit(2)  # Python would try to write the rest again
        if error.errno not in REFUSED or not error.filename:
            raise
        name = str(error.filename)
        name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        print(f"finetune: {name}: {REFUSED[error.errno]}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
