//! People and machines outside: rendering of findings, graphs and runs.
