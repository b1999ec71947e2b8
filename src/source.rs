//! Owns the text of every file a compilation reads, and the spans that point into it.
//! Must not open files: the surface reads them and hands the text in.

use serde::Serialize;

/// A file of one compilation; an index into its [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file. `start <= end`, both on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// The file the range lies in.
    pub file: FileId,
    /// First byte, from 0.
    pub start: u32,
    /// First byte after the range.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` of `file`.
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            file,
            start: clamp(start),
            end: clamp(end.max(start)),
        }
    }

    /// The smallest span that covers both; `other` must lie in the same file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        debug_assert_eq!(self.file, other.file, "spans of two files cannot be joined");
        Self {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// True when the span covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A line and a column, both from 1; the column counts Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in code points.
    pub column: usize,
}

/// One file: the path as people should read it, its text, and where its lines begin.
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: String,
    text: String,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// Indexes `text` by line.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0)
            .chain(ends.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)))
            .collect();
        Self {
            path: path.into(),
            text,
            line_starts,
        }
    }

    /// The path as it was named by the user or by the file that refers to it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Index from 0 of the line that holds byte `at`.
    #[must_use]
    pub fn line_of(&self, at: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start as usize <= at)
            .saturating_sub(1)
    }

    /// First byte of line `line` (from 0); the end of the text when there are fewer lines.
    #[must_use]
    pub fn line_start(&self, line: usize) -> usize {
        self.line_starts
            .get(line)
            .map_or(self.text.len(), |start| *start as usize)
    }

    /// How many lines the text has; a final line break opens no further line.
    #[must_use]
    pub fn line_count(&self) -> usize {
        let open = self
            .line_starts
            .last()
            .is_some_and(|at| *at as usize == self.text.len());
        self.line_starts.len() - usize::from(open && self.line_starts.len() > 1)
    }

    /// Text of line `line` (from 0) without its line break.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        let (start, end) = (self.line_start(line), self.line_start(line + 1));
        self.text
            .get(start..end)
            .unwrap_or_default()
            .trim_end_matches(['\n', '\r'])
    }

    /// Line and column of byte `at`.
    #[must_use]
    pub fn place(&self, at: usize) -> Place {
        let line = self.line_of(at);
        let start = self.line_start(line);
        let before = self
            .text
            .get(start..at.min(self.text.len()))
            .unwrap_or_default();
        Place {
            line: line + 1,
            column: before.chars().count() + 1,
        }
    }
}

/// All files of one compilation, in the order they were read.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and returns its id.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile::new(path, text));
        id
    }

    /// The file of an id that this map gave out.
    #[must_use]
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The text a span covers; empty when the span does not fit the text.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        let text = self.file(span.file).text();
        text.get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Where a span begins.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        self.file(span.file).place(span.start as usize)
    }

    /// The id of the file with this path, if it was read.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<FileId> {
        let at = self.files.iter().position(|file| file.path == path)?;
        u32::try_from(at).ok().map(FileId)
    }

    /// All files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0u32..).map(FileId).zip(&self.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_code_points_from_one() {
        let file = SourceFile::new("a.plan", "größe\nx\n");
        assert_eq!(file.place(0), Place { line: 1, column: 1 });
        assert_eq!(
            file.place(file.text().find('e').unwrap_or(0)),
            Place { line: 1, column: 5 }
        );
        assert_eq!(file.place(file.text().len()), Place { line: 3, column: 1 });
        assert_eq!((file.line_count(), file.line(1)), (2, "x"));
    }
}
