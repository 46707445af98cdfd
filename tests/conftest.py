"""Tests run in as many processes as there are cores: one thread in each is fastest."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
