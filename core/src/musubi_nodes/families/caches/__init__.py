"""Cache nodes: latents and text encoder outputs, which of them still hold, and who may write them."""
