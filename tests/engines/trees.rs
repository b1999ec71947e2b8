//! Tests of the engine for trees of files.
