//! The binary.

/// Serving is short-lived pieces of a few sizes: the system's allocator takes a tenth longer for a request.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    sluice::cli::main()
}
