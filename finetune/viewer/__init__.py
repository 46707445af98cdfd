"""Local web page for comparing runs, tables, images and benchmarks: `finetune view`."""
