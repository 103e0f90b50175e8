#!/usr/bin/env python3
"""Alerts and incidents of flow/ in random worlds, with crashes: no alert that was answered is lost, no second start, states as they should be, judged from outside.

limit: 120
SEED and SEEDS choose the worlds; without them those of incident_seeds.txt, and then SECONDS seconds (5) from a seed of the day. RUNG_BUILD names the build."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from worlds import main

sys.exit(0 if main("incident_seeds.txt", "5", ["incident"]) else 1)
