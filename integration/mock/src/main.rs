//! Mock providers.
fn main() {}
