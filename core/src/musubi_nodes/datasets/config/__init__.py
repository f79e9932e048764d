"""The dataset TOML: keys, rules, reading and writing."""
