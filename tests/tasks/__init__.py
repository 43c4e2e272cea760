"""Tests of nlptui.tasks."""
