"""Which plan, how sure, and why: plans paced again, ranked, and held against each other twin by twin."""
