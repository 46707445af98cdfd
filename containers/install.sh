#!/bin/sh
# Install finetune, and the optional packages that a plugin needs, into a new virtual environment.
# Usage: install.sh PLUGIN SOURCE TARGET
set -eu
plugin=$1 source=$2 target=$3
uv venv --quiet "$target"
uv pip install --quiet --python "$target/bin/python" "$source"
extras=$("$target/bin/finetune" plugin list --extras "$plugin")
if [ -n "$extras" ]; then
    uv pip install --quiet --python "$target/bin/python" "$source[$extras]"
fi
