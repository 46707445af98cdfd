"""`python -m finetune.cli`."""

from finetune.cli.main import main

main()
