//! Owns the fields of object stores in the inventory. Must not read secrets: of those it keeps
//! where they come from.

use super::fields::{Fields, Reader};
use super::secret;
use super::sections::source;
use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::{Entry, Value};

pub(super) const S3: &[&str] = &[
    "endpoint",
    "bucket",
    "region",
    "prefix",
    "access_key",
    "secret_key",
    "token",
    "conditional_put",
];
pub(super) const AZURE: &[&str] = &["endpoint", "account", "container", "prefix", "secret_key"];
pub(super) const GCS: &[&str] = &["endpoint", "bucket", "prefix", "service_account"];

/// Whose protocol an object store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// S3 and stores like it.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Gcs,
}

impl Provider {
    /// The field of the inventory that names it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Gcs => "gcs",
        }
    }
}

/// A value, or where a secret value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// As it is.
    Text(String),
    /// Word of the source (`env`, `file`) and variable or path.
    Source(String, String),
}

/// An object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Protocol.
    pub provider: Provider,
    /// Address; the provider's own when none is stated.
    pub endpoint: Option<String>,
    /// Bucket or container.
    pub bucket: String,
    /// Account of Azure.
    pub account: Option<String>,
    /// Region of S3.
    pub region: Option<String>,
    /// Names of objects begin with this folder.
    pub prefix: Option<String>,
    /// Id of the access key.
    pub access_key: Option<Setting>,
    /// The secret: key of the access key, of the account, or the service account's file.
    pub secret_key: Option<Setting>,
    /// Token of a session.
    pub token: Option<Setting>,
    /// False when the store is known not to have conditional put.
    pub conditional_put: bool,
}

/// The store of a device, by whichever provider it names.
pub(super) fn read(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Store> {
    s3(fields, reader)
        .or_else(|| azure(fields, reader))
        .or_else(|| gcs(fields, reader))
}

fn s3(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Store> {
    let entry = fields.find("s3")?;
    let own = reader.fields(&entry.value, "`s3`", S3);
    let needed = ["endpoint", "bucket"];
    let absent = needed.into_iter().find(|key| own.find(key).is_none());
    missing(
        entry,
        absent,
        "write `s3: {endpoint: https://…, bucket: …}`",
        reader,
    );
    let (endpoint, bucket) = (own.text("endpoint", reader), own.text("bucket", reader));
    let stated = own.find("conditional_put").is_some();
    Some(Store {
        provider: Provider::S3,
        endpoint: Some(endpoint?),
        bucket: bucket?,
        account: None,
        region: own.text("region", reader),
        prefix: own.text("prefix", reader),
        access_key: setting(own, "access_key", reader),
        secret_key: setting(own, "secret_key", reader),
        token: setting(own, "token", reader),
        conditional_put: !stated || own.flag("conditional_put", reader),
    })
}

fn azure(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Store> {
    let entry = fields.find("azure")?;
    let own = reader.fields(&entry.value, "`azure`", AZURE);
    let needed = ["account", "container"];
    let absent = needed.into_iter().find(|key| own.find(key).is_none());
    missing(
        entry,
        absent,
        "write `azure: {account: …, container: …}`",
        reader,
    );
    let (account, bucket) = (own.text("account", reader), own.text("container", reader));
    Some(Store {
        provider: Provider::Azure,
        endpoint: own.text("endpoint", reader),
        bucket: bucket?,
        account: Some(account?),
        region: None,
        prefix: own.text("prefix", reader),
        access_key: None,
        secret_key: setting(own, "secret_key", reader),
        token: None,
        conditional_put: true,
    })
}

fn gcs(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Store> {
    let entry = fields.find("gcs")?;
    let own = reader.fields(&entry.value, "`gcs`", GCS);
    let absent = own.find("bucket").is_none().then_some("bucket");
    missing(entry, absent, "write `gcs: {bucket: …}`", reader);
    let bucket = own.text("bucket", reader);
    Some(Store {
        provider: Provider::Gcs,
        endpoint: own.text("endpoint", reader),
        bucket: bucket?,
        account: None,
        region: None,
        prefix: own.text("prefix", reader),
        access_key: None,
        secret_key: setting(own, "service_account", reader),
        token: None,
        conditional_put: true,
    })
}

fn missing(entry: &Entry, absent: Option<&str>, help: &str, reader: &mut Reader<'_>) {
    if let Some(absent) = absent {
        let message = format!("`{}` lacks its `{absent}`", entry.key);
        let finding = Diagnostic::new(Code(1101), message, entry.key_span, "");
        reader.refuse(finding.help(help));
    }
}

/// A text, or the source of a secret; a secret in clear text is refused.
fn setting(fields: Fields<'_>, key: &'static str, reader: &mut Reader<'_>) -> Option<Setting> {
    let entry = fields.find(key)?;
    match &entry.value.value {
        Value::Map(_) => {
            let source = source(entry, reader)?;
            let (word, locator) = source.split_once(':')?;
            Some(Setting::Source(word.to_owned(), locator.to_owned()))
        }
        _ if secret::is_secret(key) || key == "service_account" => {
            reader.refuse(secret::in_clear_text(entry));
            None
        }
        _ => fields.text(key, reader).map(Setting::Text),
    }
}
