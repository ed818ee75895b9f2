"""Players, one way of playing an exported model a file, on numpy and onnxruntime alone."""
