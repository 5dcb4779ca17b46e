//! This machine and this process, in figures.

mod expose;
mod proc;
mod process;
mod reading;
mod sample;
mod sampler;

pub(crate) use process::Process;
#[cfg(test)]
pub(crate) use sample::Sample;
pub(crate) use sample::Settings;
pub(crate) use sampler::Host;

/// The machine's name, as the kernel knows it.
pub(crate) fn name() -> Option<String> {
    let name = reading::text(std::path::Path::new("/proc/sys/kernel/hostname"))?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(fuzzing)]
pub(crate) use proc::read_any;
