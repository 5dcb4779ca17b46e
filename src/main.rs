//! The program: hands its arguments to the library and the library's verdict to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    lookout::main(std::env::args_os())
}
