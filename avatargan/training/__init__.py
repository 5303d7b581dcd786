"""Training: networks, losses, data, checkpoints and the loop that joins them.

Imports torch, numpy, Pillow and safetensors alone, so that it runs on bare training machines.
"""
