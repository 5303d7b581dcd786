"""What made the sliders and the encoder of the shipped weights; none of it is needed to use them.

python -m avatargan.editing.training samples FOLDER
python -m avatargan.editing.training encoder FOLDER encoder.safetensors
python -m avatargan.editing.training directions FOLDER directions.safetensors
"""
