//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = planc::cli::run(std::env::args_os());
    ExitCode::from(exit.code())
}
