"""Changes to a finished run, one at a time, each with the family of claims that has to find it."""
