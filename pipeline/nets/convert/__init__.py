"""From Caffe and PyTorch files to ONNX."""
