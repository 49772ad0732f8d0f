//! SHA-256, as records and manifests print it.

use sha2::{Digest, Sha256};

/// In hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn of_nothing() {
        assert!(super::sha256(b"").starts_with("e3b0c44298fc1c14"));
    }
}
