//! Secrets that can be recognised, in any of the forms they take.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha224};

/// Secrets, and what to look for.
#[derive(Default)]
pub struct Canaries {
    /// A secret's name, and a form of it, a character a byte.
    forms: Vec<(String, String)>,
}

impl Canaries {
    /// Looks for that secret, too.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() > 7, "{name}: too short to be recognised");
        let text = latin(secret);
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let percent = |hex: fn(u8) -> String| -> String {
            let escape = |byte: &u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
                other => hex(*other),
            };
            secret.iter().map(escape).collect()
        };
        let mut forms = vec![
            hex.to_uppercase(),
            hex,
            percent(|byte| format!("%{byte:02X}")),
            percent(|byte| format!("%{byte:02x}")),
            text.replace(' ', "+"),
            secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
            // Not its first and last byte, lest something is stripped or escaped.
            latin(&secret[1..secret.len() - 1]),
        ];
        forms.extend([0, 1, 2].map(|before| base64_within(&STANDARD, secret, before)));
        forms.extend([0, 1, 2].map(|before| base64_within(&URL_SAFE, secret, before)));
        self.forms.extend(forms.into_iter().map(|form| (name.to_owned(), form)));
    }

    /// Looks for what a user of CoinFLEX logs in with, and for the key that is made of it.
    pub fn add_user(&mut self, name: &str, user: u64, cookie: &str, passphrase: &str) {
        self.add(&format!("cookie of {name}"), cookie.as_bytes());
        self.add(&format!("passphrase of {name}"), passphrase.as_bytes());
        let key = Sha224::new().chain_update(user.to_be_bytes()).chain_update(passphrase).finalize();
        self.add(&format!("key of {name}"), &key);
    }

    /// The first secret that shows in these bytes.
    pub fn found(&self, bytes: &[u8]) -> Option<&str> {
        let text = latin(bytes);
        self.forms.iter().find(|(_, form)| text.contains(form.as_str())).map(|(name, _)| name.as_str())
    }

    /// Fails if a secret shows in any file of a folder, but for those of these names.
    pub fn are_in_no_file(&self, folder: &Path, but: &[&str]) {
        let mut files = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !but.iter().any(|name| path.ends_with(name)) {
                assert_eq!(self.found(&fs::read(&path).unwrap()), None, "{}", path.display());
                files += 1;
            }
        }
        assert!(files > 0, "there are files");
    }
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The characters of the base64 that these bytes alone decide, where so many others come before them.
fn base64_within(engine: &impl Engine, secret: &[u8], before: usize) -> String {
    let encoded = engine.encode([&[0; 2][..before], secret].concat());
    encoded[(before * 8).div_ceil(6)..(before + secret.len()) * 8 / 6].to_owned()
}

#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let mut canaries = Canaries::default();
    canaries.add_user("somebody", 7, "a cookie/1", "pass phrase+2");
    let key = Sha224::digest(b"\0\0\0\0\0\0\0\x07pass phrase+2");
    let leaks: [(&str, Vec<u8>); 12] = [
        ("cookie", b"cookie: a cookie/1.".to_vec()),
        ("cookie", format!("Basic {}", STANDARD.encode("7/a cookie/1:pass phrase+2")).into_bytes()),
        ("passphrase", STANDARD.encode("7/another:pass phrase+2").into_bytes()),
        ("passphrase", STANDARD.encode("77/another:pass phrase+2").into_bytes()),
        ("passphrase", URL_SAFE.encode("777/another:pass phrase+2").into_bytes()),
        ("cookie", b"?c=a%20cookie%2F1".to_vec()),
        ("cookie", b"?c=a%20cookie%2f1".to_vec()),
        ("cookie", format!("{:?}", b"a cookie/1").into_bytes()),
        ("key", key.to_vec()),
        ("key", key.iter().map(|byte| format!("{byte:02X}")).collect::<String>().into_bytes()),
        ("key", key.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
        ("key", STANDARD.encode([b"1:", &key[..]].concat()).into_bytes()),
    ];
    for (name, leak) in leaks {
        let found = canaries.found(&leak).unwrap_or("nothing");
        assert!(found.starts_with(name), "{}: {found}", latin(&leak));
    }
    assert_eq!(canaries.found(b"a cook, a pass and a phrase; Basic Ny9hIGNvb2s="), None);
}
