"""Networks of our own: plain torch, one file each, shipped as they are inside BioImage.IO packages."""
