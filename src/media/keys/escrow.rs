//! Owns escrow copies: a key file sealed for another holder, as an armored age file that stock
//! tools open. Must not touch devices.

use std::io::Write;
use std::str::FromStr;

use age::armor::{ArmoredWriter, Format};
use age::secrecy::{ExposeSecret, SecretString};
use age::x25519::{Identity, Recipient};

use super::KeyError;

/// A new key file: its text, and its public half.
#[must_use]
pub fn generate(created: &str, further: &[String]) -> (SecretString, String) {
    let identity = Identity::generate();
    let public = identity.to_public().to_string();
    let mut text = format!("# created: {created}\n# public key: {public}\n");
    text += identity.to_string().expose_secret();
    text.push('\n');
    for recipient in further {
        text += recipient;
        text.push('\n');
    }
    (text.into(), public)
}

/// The text of a key file as bytes, to be written to a file of its owner.
#[must_use]
pub fn bytes(text: &SecretString) -> &[u8] {
    text.expose_secret().as_bytes()
}

/// Whether a text is a public half.
#[must_use]
pub fn is_recipient(text: &str) -> bool {
    Recipient::from_str(text).is_ok()
}

/// Seals the text of a key file for a holder's public half.
///
/// # Errors
/// When the public half is none.
pub fn seal(text: &SecretString, holder: &str) -> Result<Vec<u8>, KeyError> {
    let recipient = Recipient::from_str(holder)
        .map_err(|_| KeyError::Failed("the holder is named by a public half, age1…".into()))?;
    let each = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(each);
    let encryptor = encryptor.map_err(|cause| KeyError::Failed(cause.to_string()))?;
    let mut file = Vec::new();
    let write = || {
        let armor = ArmoredWriter::wrap_output(&mut file, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(text.expose_secret().as_bytes())?;
        writer.finish()?.finish()?;
        Ok::<(), std::io::Error>(())
    };
    write().map_err(|cause| KeyError::Failed(cause.to_string()))?;
    Ok(file)
}
