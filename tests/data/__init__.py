"""Tests of nlptui.data."""
