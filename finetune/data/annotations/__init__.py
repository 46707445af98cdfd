"""Label images from annotation files: one mask per object, Cellpose, ImageJ and QuPath."""
