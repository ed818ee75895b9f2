"""Lets tests import what they share, such as `music`, by name."""

import os
import sys
from pathlib import Path

import hypothesis

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `partimento train` has it; before torch is imported
sys.path.insert(0, str(Path(__file__).parent))

hypothesis.settings.register_profile(  # a busy machine is no fault of the code
    "partimento", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("partimento")
