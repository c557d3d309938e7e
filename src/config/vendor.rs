//! The vendors the gateway knows: one table of what they are called, where they are and which variable holds their key.

/// Declares the enum and everything that has one entry for each vendor from the one table below.
macro_rules! vendors {
    ($($vendor:ident $name:literal $base_url:expr, $key_variable:expr;)*) => {
        /// Who a provider's API is by: it decides the dialect and the quirks, and the defaults for address and key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Vendor {
            $(#[doc = concat!("`", $name, "`")] $vendor,)*
        }

        impl Vendor {
            /// All of them, in the documentation's order.
            pub const ALL: &[Self] = &[$(Self::$vendor),*];

            /// The vendor's name in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$vendor => $name),* }
            }

            /// Where the vendor's API is; none where everyone has an address of their own.
            pub const fn default_base_url(self) -> Option<&'static str> {
                match self { $(Self::$vendor => $base_url),* }
            }

            /// The environment variable that usually holds the vendor's key; none where usually no key is needed.
            pub const fn default_key_variable(self) -> Option<&'static str> {
                match self { $(Self::$vendor => $key_variable),* }
            }
        }
    };
}

vendors! {
    OpenAi "openai" Some("https://api.openai.com/v1"), Some("OPENAI_API_KEY");
    Anthropic "anthropic" Some("https://api.anthropic.com/v1"), Some("ANTHROPIC_API_KEY");
    Gemini "gemini" Some("https://generativelanguage.googleapis.com/v1beta"), Some("GEMINI_API_KEY");
    Azure "azure" None, Some("AZURE_OPENAI_API_KEY");
    DeepSeek "deepseek" Some("https://api.deepseek.com"), Some("DEEPSEEK_API_KEY");
    Mistral "mistral" Some("https://api.mistral.ai/v1"), Some("MISTRAL_API_KEY");
    Groq "groq" Some("https://api.groq.com/openai/v1"), Some("GROQ_API_KEY");
    Together "together" Some("https://api.together.ai/v1"), Some("TOGETHER_API_KEY");
    OpenRouter "openrouter" Some("https://openrouter.ai/api/v1"), Some("OPENROUTER_API_KEY");
    Xai "xai" Some("https://api.x.ai/v1"), Some("XAI_API_KEY");
    Qwen "qwen" Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"), Some("DASHSCOPE_API_KEY");
    Moonshot "moonshot" Some("https://api.moonshot.ai/v1"), Some("MOONSHOT_API_KEY");
    Fireworks "fireworks" Some("https://api.fireworks.ai/inference/v1"), Some("FIREWORKS_API_KEY");
    Cerebras "cerebras" Some("https://api.cerebras.ai/v1"), Some("CEREBRAS_API_KEY");
    Vllm "vllm" Some("http://127.0.0.1:8000/v1"), None;
    Ollama "ollama" Some("http://127.0.0.1:11434/v1"), None;
    Compatible "compatible" None, None;
}

impl Vendor {
    /// The vendor of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|vendor| vendor.as_str() == name)
    }
}

impl std::fmt::Display for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BaseUrl;

    #[test]
    fn every_vendor_is_found_by_its_name_and_has_a_usable_default() {
        for &vendor in Vendor::ALL {
            assert_eq!(Vendor::named(vendor.as_str()), Some(vendor));
            if let Some(url) = vendor.default_base_url() {
                assert!(BaseUrl::parse(url).is_ok(), "{vendor}");
            }
        }
        assert_eq!(Vendor::named("OpenAI"), None);
    }
}
