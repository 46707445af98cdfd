"""The command line as a process of its own: `finetune`, and `python -m finetune.cli`."""

from finetune.cli.main import main
from finetune.utils.startup import end


def run() -> None:
    """Run a command and end the process at once; `main` returns to those who call it inside a process."""
    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, int):
            end(stop.code)
        raise


if __name__ == "__main__":
    run()
