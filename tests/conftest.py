"""Lets tests import what they share, such as `music`, by name."""

import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

hypothesis.settings.register_profile("partimento", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("partimento")
