//! What the targets share with the tests.

#[path = "../../tests/support/mod.rs"]
pub mod host;
#[path = "../../tests/support/mutation.rs"]
pub mod mutation;
#[path = "../../tests/support/openai_client.rs"]
pub mod openai_client;
#[path = "../../tests/support/replay.rs"]
pub mod replay;
#[path = "../../tests/support/soundness.rs"]
pub mod soundness;
