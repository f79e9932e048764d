"""Trainer nodes: what a training is started with, and how one that broke off goes on."""
