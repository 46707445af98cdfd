#!/bin/sh
# WIPP passes the parameters of the plugin alone; CWL runners pass the whole command.
if [ "${1:-}" = finetune ]; then
    exec "$@"
fi
exec finetune plugin run "$PLUGIN" "$@"
