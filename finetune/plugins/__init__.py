"""Plugins for workflow platforms: one definition each, described for WIPP, CWL, Polus (ICT) and Bilayers."""
