//! Owns the store's clock: the `Date` of every answer, compared with this host's clock. Retention
//! and expiry judge by both, so they must agree.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// Most seconds that two clocks may differ.
pub(super) const MOST: i64 = 300;

const UNKNOWN: i64 = i64::MIN;

/// How far the store's clock is ahead.
#[derive(Debug)]
pub(super) struct Skew(AtomicI64);

impl Default for Skew {
    fn default() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }
}

impl Skew {
    /// Seconds by the last answer that had a date.
    pub(super) fn seconds(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|seconds| *seconds != UNKNOWN)
    }

    fn note(&self, date: &str, now: Timestamp) {
        if let Some(seconds) = ahead(date, now) {
            self.0.store(seconds, Ordering::Release);
        }
    }
}

/// How many seconds a date of HTTP is ahead of now.
fn ahead(date: &str, now: Timestamp) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(&date.replace("GMT", "+0000")).ok()?;
    Some(date.timestamp().as_second() - now.as_second())
}

/// Makes clients that read the date of each answer.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) skew: Arc<Skew>,
}

impl HttpConnector for Watching {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        let skew = Arc::clone(&self.skew);
        Ok(HttpClient::new(Watch { inner, skew }))
    }
}

struct Watch {
    inner: HttpClient,
    skew: Arc<Skew>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Watch")
    }
}

impl HttpService for Watch {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.inner.execute(request).await?;
            let date = answer
                .headers()
                .get("date")
                .and_then(|date| date.to_str().ok());
            if let Some(date) = date {
                self.skew.note(date, Timestamp::now());
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_compared() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a moment");
        assert_eq!(ahead("Sun, 22 Nov 2026 10:00:07 GMT", now), Some(7));
        assert_eq!(ahead("Sun, 22 Nov 2026 09:54:00 GMT", now), Some(-360));
        assert_eq!(ahead("yesterday", now), None);
        let skew = Skew::default();
        assert_eq!(skew.seconds(), None);
        skew.note("Sun, 22 Nov 2026 10:06:00 GMT", now);
        assert_eq!(skew.seconds(), Some(360));
    }
}
