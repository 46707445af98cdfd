"""Publishing a finished run: one module per destination, chosen by `cards.publish.destinations`."""
