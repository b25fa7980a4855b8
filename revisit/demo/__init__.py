"""Simulated scenes with a known truth: the toolkit's main job without a network. Nothing of them is real imagery."""

from revisit.demo.scenes import DemoInfo, write_demo

__all__ = ["DemoInfo", "write_demo"]
