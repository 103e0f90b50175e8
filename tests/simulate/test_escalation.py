#!/usr/bin/env python3
"""The escalations of flow/ in random worlds: no level skipped, none reached twice, no timer lost, nobody notified who is not to be, judged from outside.

limit: 120
SEED and SEEDS choose the worlds; without them those of escalation_seeds.txt, and then SECONDS seconds (5) from a seed of the day. RUNG_BUILD names the build."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from worlds import main

sys.exit(0 if main("escalation_seeds.txt", "5", ["escalation"]) else 1)
