//! Recorded traffic of every provider through its adapter and an OpenAI client at the end.
mod support {
    pub mod openai_client;
}
