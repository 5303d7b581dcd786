"""Distilling a generator whose colours stay where they belong from one whose colours leak.

``python -m avatargan.training.recolouring --out FILE`` is the command.
"""
