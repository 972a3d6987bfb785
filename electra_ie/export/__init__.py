"""Export of a run to ONNX, so that it runs without torch; the check that it finds the same, and the cost of 8 bits.

What runs an exported model is `inference.engine.exported`.
"""
