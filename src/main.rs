//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_env = "gnu")]
    spare_memory();
    let exit = planc::cli::run(std::env::args_os());
    ExitCode::from(exit.code())
}

/// Left alone, the allocator of the C library keeps what was freed for each thread, however large
/// it was: as much memory again as is in use. Blocks longer than a window of content with its
/// frame go back to the system, and the others lie in two heaps.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator can be told in no other way")]
fn spare_memory() {
    // SAFETY: numbers of the allocator are set before there is a second thread
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 5 << 18);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
    // SAFETY: it holds its own locks
    planc::run::thrift::by(|| {
        unsafe { libc::malloc_trim(0) };
    });
}
