"""Where nodes run: ComfyUI, or a terminal."""
