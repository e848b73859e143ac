"""Every twin that explains the ECG.

The model of its QRS complex (`qrs_model`) from a table of arrivals (`site_library`), prior and sampler, the ensemble
(`fit`, `posterior`), and what follows from it for the tissue, the T wave and the beats.
"""
