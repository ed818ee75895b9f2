"""Partimento: teach a machine your music.

Give it a folder of MIDI; minutes later, on an ordinary computer, it composes new music in that style.
"""
