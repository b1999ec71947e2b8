//! Owns the clients of object stores: made from the inventory's fields, with secrets read at that
//! moment from where the inventory says.

use std::path::Path as Folder;
use std::sync::Arc;
use std::time::Duration;

use age::secrecy::{ExposeSecret, SecretString};
use object_store::aws::{AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::MultipartStore;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, RetryConfig};

use super::clock::{Skew, Watching};
use super::runtime;
use crate::facts::inventory::{Provider, Setting, Store};
use crate::media::DeviceError;
use crate::media::keys::KeySource;

/// Longest time for one request, body included.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Longest time for all tries of one request.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tries after the first.
const TRIES: usize = 4;

/// Clients of one store.
pub(super) struct Stores {
    /// Repeats requests that may be repeated.
    pub(super) patient: Arc<dyn ObjectStore>,
    /// Asks once: for requests whose refusal says something.
    pub(super) once: Arc<dyn ObjectStore>,
    /// Uploads in parts.
    pub(super) parts: Arc<dyn MultipartStore>,
    /// Lists in pages.
    pub(super) pages: Arc<dyn PaginatedListStore>,
}

/// Where a store is, for people.
#[must_use]
pub fn place(store: &Store) -> String {
    let endpoint = match (&store.endpoint, &store.account) {
        (Some(endpoint), _) => endpoint.trim_end_matches('/').to_owned(),
        (None, Some(account)) => format!("azure:{account}"),
        (None, None) => format!("{}:", store.provider.word()),
    };
    let bucket = &store.bucket;
    match &store.prefix {
        Some(prefix) => format!("{endpoint}/{bucket}/{prefix}"),
        None => format!("{endpoint}/{bucket}"),
    }
}

/// Makes the clients.
pub(super) fn open(device: &str, store: &Store, skew: &Arc<Skew>) -> Result<Stores, DeviceError> {
    runtime::start(device)?;
    let patient = client(device, store, skew, TRIES)?;
    let once = client(device, store, skew, 0)?;
    Ok(Stores {
        patient: patient.0,
        parts: patient.1,
        pages: patient.2,
        once: once.0,
    })
}

/// One client by what it can do.
type Client = (
    Arc<dyn ObjectStore>,
    Arc<dyn MultipartStore>,
    Arc<dyn PaginatedListStore>,
);

fn client(
    device: &str,
    store: &Store,
    skew: &Arc<Skew>,
    tries: usize,
) -> Result<Client, DeviceError> {
    let retry = RetryConfig {
        max_retries: tries,
        retry_timeout: PATIENCE,
        ..RetryConfig::default()
    };
    let watching = Watching {
        skew: Arc::clone(skew),
    };
    let plain = store
        .endpoint
        .as_ref()
        .is_some_and(|at| at.starts_with("http://"));
    let options = ClientOptions::new()
        .with_timeout(TIMEOUT)
        .with_connect_timeout(Duration::from_secs(10))
        .with_allow_http(plain);
    let secrets = Secrets::read(device, store)?;
    let made = match store.provider {
        Provider::S3 => all(s3(store, &secrets, watching, options, retry).build()),
        Provider::Azure => all(azure(store, &secrets, watching, options, retry).build()),
        Provider::Gcs => all(gcs(store, &secrets, watching, options, retry).build()),
    };
    made.map_err(|cause| unusable(device, "it", &cause.to_string()))
}

fn all<S>(store: object_store::Result<S>) -> object_store::Result<Client>
where
    S: ObjectStore + MultipartStore + PaginatedListStore,
{
    let store = Arc::new(store?);
    let plain = Arc::clone(&store) as Arc<dyn ObjectStore>;
    let parts = Arc::clone(&store) as Arc<dyn MultipartStore>;
    Ok((plain, parts, store))
}

/// What the inventory names by its source.
struct Secrets {
    access_key: Option<SecretString>,
    secret_key: Option<SecretString>,
    token: Option<SecretString>,
}

impl Secrets {
    fn read(device: &str, store: &Store) -> Result<Self, DeviceError> {
        let one = |field, setting: &Option<Setting>| match setting {
            None => Ok(None),
            Some(Setting::Text(text)) => Ok(Some(SecretString::from(text.as_str()))),
            Some(Setting::Source(word, locator)) => {
                let source = KeySource::of(word, locator, Folder::new(""));
                let read = source.read().map(|text| text.expose_secret().trim().into());
                let cause = |cause: String| format!("{source}: {cause}");
                read.map(Some)
                    .map_err(|error| unusable(device, field, &cause(error)))
            }
        };
        Ok(Self {
            access_key: one("`access_key`", &store.access_key)?,
            secret_key: one("`secret_key`", &store.secret_key)?,
            token: one("`token`", &store.token)?,
        })
    }
}

fn unusable(device: &str, what: &str, cause: &str) -> DeviceError {
    DeviceError::Denied {
        device: device.to_owned(),
        action: "use",
        object: what.to_owned(),
        cause: cause.to_owned(),
    }
}

fn s3(
    store: &Store,
    secrets: &Secrets,
    watching: Watching,
    options: ClientOptions,
    retry: RetryConfig,
) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&store.bucket)
        .with_region(store.region.as_deref().unwrap_or("us-east-1"))
        .with_checksum_algorithm(Checksum::SHA256)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        .with_client_options(options)
        .with_retry(retry)
        .with_http_connector(watching);
    if let Some(endpoint) = &store.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        let plain = endpoint.starts_with("http://");
        builder = builder
            .with_allow_http(plain)
            .with_virtual_hosted_style_request(false);
    }
    if let Some(id) = &secrets.access_key {
        builder = builder.with_access_key_id(id.expose_secret());
    }
    if let Some(secret) = &secrets.secret_key {
        builder = builder.with_secret_access_key(secret.expose_secret());
    }
    if let Some(token) = &secrets.token {
        builder = builder.with_token(token.expose_secret());
    }
    builder
}

fn azure(
    store: &Store,
    secrets: &Secrets,
    watching: Watching,
    options: ClientOptions,
    retry: RetryConfig,
) -> MicrosoftAzureBuilder {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(store.account.clone().unwrap_or_default())
        .with_container_name(&store.bucket)
        .with_client_options(options)
        .with_retry(retry)
        .with_http_connector(watching);
    if let Some(endpoint) = &store.endpoint {
        let plain = endpoint.starts_with("http://");
        builder = builder
            .with_endpoint(endpoint.clone())
            .with_allow_http(plain);
    }
    if let Some(secret) = &secrets.secret_key {
        builder = builder.with_access_key(secret.expose_secret());
    }
    builder
}

fn gcs(
    store: &Store,
    secrets: &Secrets,
    watching: Watching,
    options: ClientOptions,
    retry: RetryConfig,
) -> GoogleCloudStorageBuilder {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&store.bucket)
        .with_client_options(options)
        .with_retry(retry)
        .with_http_connector(watching);
    if let Some(endpoint) = &store.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    if let Some(account) = &secrets.secret_key {
        builder = builder.with_service_account_key(account.expose_secret());
    }
    builder
}

/// All pages of a listing of names that begin with `prefix`; an error on any page is an error.
pub(super) async fn collect(
    store: &Arc<dyn PaginatedListStore>,
    prefix: &str,
) -> object_store::Result<Vec<ObjectMeta>> {
    let mut found = Vec::new();
    let mut options = PaginatedListOptions::default();
    loop {
        let page = store.list_paginated(Some(prefix), options.clone()).await?;
        found.extend(page.result.objects);
        match page.page_token {
            Some(token) => options.page_token = Some(token),
            None => return Ok(found),
        }
    }
}
