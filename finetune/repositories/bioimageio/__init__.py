"""The BioImage.IO model zoo."""
