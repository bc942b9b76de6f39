"""Carrying out an erasure, by the evaluator, at its place in the lane."""
