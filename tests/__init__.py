"""Tests. This file makes `tests.scenery`, which several of them share, one module for every tool."""
