"""What lies in a twin folder, and how it survives: artefacts, finished results, the ledger, the lock."""
