//! Owns the rule that no secret stands in clear text (P1003), and the form of its source.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::yaml::{Entry, Value};

/// The sources a secret can come from.
pub(super) const SOURCES: [&str; 4] = ["env", "file", "vault", "command"];

/// True when a field of this name holds a secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "private_key",
    ]
    .iter()
    .any(|word| key.contains(word))
}

/// The finding about a secret written out; it never repeats the secret.
pub(super) fn in_clear_text(entry: &Entry) -> Diagnostic {
    let key = &entry.key;
    let variable = key.to_ascii_uppercase();
    clear_text(
        format!("`{key}` is written in clear text"),
        entry.value.span,
    )
    .help(format!(
        "name its source instead: `{key}: {{env: {variable}}}`"
    ))
    .subject(key.clone())
}

fn clear_text(message: String, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code(1003),
        message,
        span,
        "a secret in a file that many can read",
    )
}

/// The finding about a password inside an address, `scheme://user:password@host`.
pub(super) fn in_address(entry: &Entry) -> Option<Diagnostic> {
    let Value::Text(text) = &entry.value.value else {
        return None;
    };
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or(rest);
    let (login, _) = authority.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    let message = format!("`{}` holds a password in clear text", entry.key);
    (!password.is_empty()).then(|| {
        clear_text(message, entry.value.span)
            .help("take the password out of the address and name its source: `password: {env: …}`")
            .subject(entry.key.clone())
    })
}
