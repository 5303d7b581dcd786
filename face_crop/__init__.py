"""Finding anime faces in whole illustrations and cutting them out.

>>> from face_crop.detector import FaceDetector
>>> faces = FaceDetector().detect(picture)  # uint8 RGB [height, width, 3]
"""
