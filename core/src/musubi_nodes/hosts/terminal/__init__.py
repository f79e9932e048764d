"""Runs workflow files without ComfyUI."""
