"""Ablation plans: lesions laid onto a heart, what speaks against them, and plans that are proposed."""
