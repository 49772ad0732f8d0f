//! Text → token ids with places, by the model's own `tokenizer.json`.

use crate::document::Span;

/// A token and the characters it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    pub span: Span,
}

/// A tokenizer and its marks.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The mark before a sequence (`[CLS]`, `<s>`).
    pub cls: u32,
    /// The mark after a sequence (`[SEP]`, `</s>`).
    pub sep: u32,
}

/// Text is tokenized in pieces of about this length: one huge line must not need a huge buffer.
const PIECE_CHARS: usize = 4096;

impl Tokenizer {
    /// Reads a `tokenizer.json`; it must know a sequence's first and last mark.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let mut inner =
            tokenizers::Tokenizer::from_bytes(json).map_err(|e| format!("tokenizer.json: {e}"))?;
        // Windows are cut by us, and padding is never used.
        inner
            .with_truncation(None)
            .map_err(|e| format!("tokenizer.json: {e}"))?;
        inner.with_padding(None);
        let mark = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| inner.token_to_id(name))
                .ok_or_else(|| format!("tokenizer.json has none of the marks {names:?}"))
        };
        let (cls, sep) = (mark(&["[CLS]", "<s>"])?, mark(&["[SEP]", "</s>"])?);
        // Text with an unknown character must not be lost later.
        inner
            .encode_fast("\u{10ffff}", false)
            .map_err(|e| format!("tokenizer.json cannot take unknown characters: {e}"))?;
        Ok(Self { inner, cls, sep })
    }

    /// From a plain `vocab.txt`, as BERT checkpoints without a `tokenizer.json` have.
    pub fn from_vocabulary(vocabulary: &str) -> Result<Self, String> {
        let ids: serde_json::Map<String, serde_json::Value> = vocabulary
            .lines()
            .enumerate()
            .map(|(id, token)| (token.trim_end().to_owned(), id.into()))
            .collect();
        let json = serde_json::json!({
            "version": "1.0",
            "added_tokens": [],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                           "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": ids},
        });
        Self::from_json(json.to_string().as_bytes())
            .map_err(|e| e.replace("tokenizer.json", "vocab.txt"))
    }

    /// The largest id that a token can have.
    pub fn largest_id(&self) -> u32 {
        let ids = self.inner.get_vocab(true).into_values();
        ids.max().unwrap_or(0)
    }

    /// Tokens without marks. Spans count characters of `text`.
    pub fn tokens(&self, text: &[char]) -> Vec<Token> {
        let mut out = Vec::with_capacity(text.len());
        let mut start = 0;
        while start < text.len() {
            let mut end = (start + PIECE_CHARS).min(text.len());
            // Not inside a Latin word or a number.
            if end < text.len() {
                let back = text[start..end]
                    .iter()
                    .rposition(|c| !c.is_ascii_alphanumeric())
                    .unwrap_or(0);
                if back > 0 {
                    end = start + back + 1;
                }
            }
            let piece: String = text[start..end].iter().collect();
            if let Ok(encoding) = self.inner.encode_char_offsets(piece, false) {
                for (&id, &(from, to)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
                    out.push(Token {
                        id,
                        span: Span::new(start + from, start + to.max(from)),
                    });
                }
            }
            start = end;
        }
        out
    }

    /// A few characters only, for tests.
    #[cfg(test)]
    pub fn tiny() -> Self {
        Self::from_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n今\n天\n开\n工\n。\nopen\n##ed")
            .expect("a valid vocabulary")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_characters() {
        let text: Vec<char> = "今天 OPENED工".chars().collect();
        let tokens = Tokenizer::tiny().tokens(&text);
        let cut: Vec<String> = tokens.iter().map(|t| t.span.text(&text)).collect();
        assert_eq!(cut, ["今", "天", "OPEN", "ED", "工"]);
    }

    #[test]
    fn long_text_is_tokenized_piece_by_piece() {
        let text: Vec<char> = "今天开工。".repeat(3000).chars().collect();
        let tokens = Tokenizer::tiny().tokens(&text);
        assert_eq!(tokens.len(), 15_000);
        assert!(
            tokens
                .iter()
                .enumerate()
                .all(|(i, t)| t.span == Span::new(i, i + 1))
        );
    }
}
