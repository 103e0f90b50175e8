#!/usr/bin/env python3
"""Decisions and recovery of flow/ in random worlds on a fake clock, store and targets: what an execution promises, judged from outside.

limit: 120
SEED and SEEDS choose the worlds; without them those of seeds.txt, and then SECONDS seconds (25) from a seed of the day. RUNG_BUILD names the build."""
import os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from worlds import main

sys.exit(0 if main("seeds.txt", "25") else 1)
