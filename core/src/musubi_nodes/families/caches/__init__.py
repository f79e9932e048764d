"""Cache nodes: latents and text encoder outputs."""
