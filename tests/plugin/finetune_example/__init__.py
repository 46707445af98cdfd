"""One repository, target, metric, exporter, adapter and command for finetune."""
