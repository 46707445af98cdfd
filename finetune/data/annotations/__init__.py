"""Label images from annotation files: one mask per object, Cellpose, ImageJ, QuPath and COCO."""
