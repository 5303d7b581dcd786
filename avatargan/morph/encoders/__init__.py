"""Encoders: clips to files, one module per format.

GIF, APNG and WebP containers are put together here from frames that Pillow compresses one by one.
Pillow's own writers want every frame in memory at once, and merge frames that look alike, so that
a clip would not have the number of frames that was asked for.
"""
