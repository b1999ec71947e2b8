//! Owns the texts an editor works with: open buffers lie over the files on disk, and what did
//! not change on disk is not read again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use gen_lsp_types::TextDocumentContentChangeEvent as Change;

use crate::lsp::place;
use crate::source::SourceFile;

/// A text and how it is told that the file on disk is still the same.
#[derive(Debug)]
struct Kept {
    stamp: (Option<SystemTime>, u64),
    text: Arc<str>,
}

/// An open buffer: its text, and its version as the editor counts.
pub(super) type Buffer = (Arc<str>, i32);

/// Open buffers, and texts read from disk.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: BTreeMap<String, Buffer>,
    disk: BTreeMap<String, Kept>,
}

impl Documents {
    /// A buffer is opened.
    pub(super) fn open(&mut self, path: String, text: &str, version: i32) {
        self.open.insert(path, (text.into(), version));
    }

    /// A buffer changes. A buffer that was never opened stays unknown.
    pub(super) fn change(&mut self, path: &str, changes: &[Change], version: i32) {
        let Some((text, known)) = self.open.get_mut(path) else {
            return;
        };
        for change in changes {
            *text = edited(text, change);
        }
        *known = version;
    }

    /// A buffer is closed; the file on disk counts again.
    pub(super) fn close(&mut self, path: &str) {
        self.open.remove(path);
    }

    /// Puts a text over a path for a trial; gives the buffer that was there.
    pub(super) fn overlay(&mut self, path: &str, text: &str) -> Option<Buffer> {
        self.open.insert(path.to_owned(), (text.into(), 0))
    }

    /// Ends a trial.
    pub(super) fn restore(&mut self, path: &str, before: Option<Buffer>) {
        match before {
            Some(buffer) => self.open.insert(path.to_owned(), buffer),
            None => self.open.remove(path),
        };
    }

    /// The version of a buffer, as the editor counts.
    pub(super) fn version(&self, path: &str) -> Option<i32> {
        self.open.get(path).map(|(_, version)| *version)
    }

    /// Paths of open buffers.
    pub(super) fn paths(&self) -> impl Iterator<Item = &String> {
        self.open.keys()
    }

    /// The text of a buffer, or else of the file.
    pub(super) fn read(&mut self, path: &str) -> io::Result<Arc<str>> {
        if let Some((text, _)) = self.open.get(path) {
            return Ok(Arc::clone(text));
        }
        let about = std::fs::metadata(path)?;
        let stamp = (about.modified().ok(), about.len());
        if let Some(kept) = self.disk.get(path).filter(|kept| kept.stamp == stamp) {
            return Ok(Arc::clone(&kept.text));
        }
        let text: Arc<str> = std::fs::read_to_string(path)?.into();
        let kept = Kept {
            stamp,
            text: Arc::clone(&text),
        };
        self.disk.insert(path.to_owned(), kept);
        Ok(text)
    }
}

fn edited(text: &str, change: &Change) -> Arc<str> {
    let partial = match change {
        Change::TextDocumentContentChangeWholeDocument(whole) => return whole.text.as_str().into(),
        Change::TextDocumentContentChangePartial(partial) => partial,
    };
    let file = SourceFile::new("", text);
    let start = place::offset(&file, partial.range.start);
    let end = place::offset(&file, partial.range.end).max(start);
    let mut new = String::with_capacity(text.len() + partial.text.len());
    new.push_str(&text[..start]);
    new.push_str(&partial.text);
    new.push_str(&text[end..]);
    new.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(value: serde_json::Value) -> Change {
        serde_json::from_value(value).expect("a change")
    }

    #[test]
    fn changes_apply_one_after_the_other() {
        let mut documents = Documents::default();
        documents.open("/a.plan".into(), "one\ntwö three\n", 1);
        let at = |from, to| serde_json::json!({"start": {"line": 1, "character": from}, "end": {"line": 1, "character": to}});
        let first = serde_json::json!({"range": at(0, 3), "text": "2"});
        let second = serde_json::json!({"range": at(2, 7), "text": "3"});
        documents.change("/a.plan", &[change(first), change(second)], 2);
        assert_eq!(&*documents.read("/a.plan").expect("open"), "one\n2 3\n");
        assert_eq!(documents.version("/a.plan"), Some(2));
        documents.close("/a.plan");
        assert!(documents.read("/a.plan").is_err());
    }
}
