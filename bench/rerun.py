def measure(f,q): return iter(())
