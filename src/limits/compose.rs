//! The bounds of compose: what one order may hold, and what is kept of what the program says.

// --- compose -------------------------------------------------------------------------------------

/// Services named in one order; the largest stacks have some dozens. Beyond: an error.
pub(crate) const COMPOSE_SERVICES_MAX: usize = 256;
/// A service's name: as long as the name of a host, and more. Beyond: an error.
pub(crate) const COMPOSE_SERVICE_BYTES_MAX: usize = 128;
/// A stack's name: the first part of its containers' names, which are names of hosts. Beyond: an error.
pub(crate) const COMPOSE_STACK_BYTES_MAX: usize = 63;
/// Directories from `STACKS_DIR` down to a stack. Beyond: an error.
pub(crate) const COMPOSE_DIR_SEGMENTS_MAX: usize = 8;
/// One of them. Beyond: an error.
pub(crate) const COMPOSE_DIR_SEGMENT_BYTES_MAX: usize = 64;
/// Files of one order: a stack is some files, not a source tree. Beyond: an error.
pub(crate) const COMPOSE_FILES_MAX: usize = 512;
/// Directories from a stack down to a file of it, and the file. Beyond: an error.
pub(crate) const COMPOSE_FILE_SEGMENTS_MAX: usize = 16;
/// One of them: no file system takes more. Beyond: an error.
pub(crate) const COMPOSE_FILE_SEGMENT_BYTES_MAX: usize = 255;
/// Variables of one order. Beyond: an error.
pub(crate) const COMPOSE_ENV_MAX: usize = 512;
/// A variable's name. Beyond: an error.
pub(crate) const COMPOSE_ENV_KEY_BYTES_MAX: usize = 256;
/// A variable's value: the kernel starts no program with one of 128 KiB. Beyond: an error.
pub(crate) const COMPOSE_ENV_VALUE_BYTES_MAX: usize = 64 * 1024;
/// All variables with their names: the kernel starts no program with 2 MiB of them. Beyond: an error.
pub(crate) const COMPOSE_ENV_BYTES_MAX: usize = 1024 * 1024;
/// Registries of one order. Beyond: an error.
pub(crate) const COMPOSE_REGISTRIES_MAX: usize = 16;
/// A registry's address, a user name or a password, which may be a long-lived token. Beyond: an error.
pub(crate) const COMPOSE_REGISTRY_BYTES_MAX: usize = 16 * 1024;
/// The most `timeout` may be: nobody waits longer than a day for a container to stop. Beyond: an error.
pub(crate) const COMPOSE_STOP_SECS_MAX: u32 = 86_400;
/// What is shown of a name that is refused, in the answer and in the trail. Beyond: cut.
pub(crate) const COMPOSE_SHOWN_CHARS_MAX: usize = 80;
/// What is told of a body that is no order; a reader quotes what it did not expect. Beyond: cut.
pub(crate) const COMPOSE_DETAIL_CHARS_MAX: usize = 300;
/// What is kept of the two outputs of one operation together. Beyond: counted, and told in a last line.
pub(crate) const COMPOSE_OUTPUT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// A line of the output in one piece of an answer that is told as it comes. Beyond: in several.
pub(crate) const COMPOSE_PIECE_BYTES_MAX: usize = 16 * 1024;
/// Nesting of lists and objects in a compose file that is looked at; no stack has ten. Beyond: what is
/// inside is not looked at.
pub(crate) const COMPOSE_LEVELS_MAX: usize = 64;

const _: () = assert!(COMPOSE_ENV_VALUE_BYTES_MAX <= COMPOSE_ENV_BYTES_MAX);
const _: () = assert!(COMPOSE_STACK_BYTES_MAX <= COMPOSE_DIR_SEGMENT_BYTES_MAX, "a name is a directory");
