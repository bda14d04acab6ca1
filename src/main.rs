//! The `copytrace` command.

use std::process::ExitCode;

use copytrace::cli::library::Library;
use copytrace::cli::{output::Console, run};

fn main() -> ExitCode {
    run(std::env::args_os(), &Library, &mut Console::of_process()).into()
}
