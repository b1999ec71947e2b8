//! The command line: one file a command. Reads arguments and files, calls the stages in order,
//! prints results to stdout and everything else to stderr.

pub mod exit;
