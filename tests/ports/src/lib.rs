//! The tests that `scripts/conform --suite` runs on every CPU: see Cargo.toml.
