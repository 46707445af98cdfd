"""Networks, one module each.

A class with `portable = True` is defined by its one file, which exports copy into BioImage.IO packages as
the architecture of the state dict. The file needs torch only (`CellposeSAM` needs cellpose, too). All other
networks are exported as TorchScript and ONNX only.
"""
