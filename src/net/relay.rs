//! One thread, two connections, both ways, fixed memory.
//!
//! It polls only when neither side holds bytes the sockets know nothing of: TLS may have decrypted
//! more than was read, and sleeping on that would stall the stream.

use std::io::{self, IoSlice};
use std::time::Duration;

use super::{Shutdown, Wire, is_tick};
use crate::clock::Deadline;
use crate::limits::STREAM_STALL_SECS;
use crate::log::{self, text};
use crate::sys::poll::{Watch, wait};

/// One direction.
#[derive(Default)]
struct Way {
    /// The source ended; what it sent may still have to be written.
    source_ended: bool,
    /// The sink was told so, or no longer takes anything.
    over: bool,
}

/// Told of every piece before it goes on; an error ends the relay.
pub(crate) trait Tap {
    /// From the client.
    fn up(&mut self, piece: &[u8]) -> io::Result<()>;
    /// From the Engine.
    fn down(&mut self, piece: &[u8]) -> io::Result<()>;
}

/// Carries bytes until both directions ended, the client failed, or the agent ends.
pub(crate) fn relay(
    client: &mut Wire,
    engine: &mut Wire,
    shutdown: &Shutdown,
    mut tap: Option<&mut dyn Tap>,
) -> io::Result<()> {
    for wire in [&mut *client, &mut *engine] {
        wire.conn.set_nonblocking()?;
    }
    if let Some(tap) = &mut tap {
        // What came behind the heads.
        tap.up(client.received())?;
        tap.down(engine.received())?;
    }
    let (mut up, mut down) = (Way::default(), Way::default());
    let (mut from_client, mut from_engine) = (true, true);
    loop {
        let read = up.read(client, from_client);
        if let (Ok(true), Some(tap)) = (&read, &mut tap) {
            tap.up(client.received())?;
        }
        if let Err(error) = read.and_then(|_| up.write(client, engine)) {
            // The Engine takes nothing more; what it still says is worth hearing.
            log::debug("relay.input_ended", &[("error", text(&error))]);
            up.over = true;
            let _ = engine.conn.end_writing();
        }
        if down.read(engine, from_engine)?
            && let Some(tap) = &mut tap
        {
            tap.down(engine.received())?;
        }
        down.write(engine, client)?;
        if up.over && down.over {
            return Ok(());
        }
        let client_has_more = client.has_decrypted() && !up.source_ended;
        let engine_has_more = engine.has_decrypted() && !down.source_ended;
        let client_writes = !engine.received().is_empty() || client.conn.owes();
        let engine_writes = (!up.over && !client.received().is_empty()) || engine.conn.owes();
        let mut watches = [
            watch(client, &up, client_writes).unwrap_or_else(|| on_breakage(client, &down)),
            watch(engine, &down, engine_writes).unwrap_or_else(Watch::nothing),
            Watch::readable(shutdown),
        ];
        let is_client_blocked = up.over || !client.received().is_empty();
        let deadline = if client_has_more || engine_has_more {
            Deadline::after(Duration::ZERO)
        } else if client_writes || engine_writes {
            Deadline::after_secs(STREAM_STALL_SECS)
        } else {
            Deadline::NEVER
        };
        if !wait(&mut watches, deadline)? && !client_has_more && !engine_has_more {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let [on_client, on_engine, on_shutdown] = watches;
        if on_shutdown.is_ready()
            || (down.over && on_engine.is_broken())
            || (is_client_blocked && !down.over && on_client.is_broken())
        {
            return Ok(());
        }
        from_client = on_client.can_read() || client_has_more;
        from_engine = on_engine.can_read() || engine_has_more;
    }
}

/// What to wait for on the source of a way; `None` while its bytes are still being written. Of a
/// client that is then broken nothing is worth writing any more; an Engine that has ended is no
/// news, and would end every wait at once.
fn watch<'w>(source: &'w Wire, way: &Way, writes: bool) -> Option<Watch<'w>> {
    let reads = !way.source_ended && !way.over && source.received().is_empty();
    if reads || writes {
        Some(Watch::when(source, reads, writes))
    } else {
        way.over.then(|| Watch::breakage(source))
    }
}

/// A client that was told the end, and ended itself, looks as if it were gone: what it sent before
/// is still the Engine's.
fn on_breakage<'w>(client: &'w Wire, down: &Way) -> Watch<'w> {
    if down.over { Watch::nothing() } else { Watch::breakage(client) }
}

impl Way {
    /// Reads once, where that does not wait. Whether anything came, which is then all that was received.
    fn read(&mut self, source: &mut Wire, may_read: bool) -> io::Result<bool> {
        if self.over || !may_read || self.source_ended || !source.received().is_empty() {
            return Ok(false);
        }
        match source.receive() {
            Ok(0) => {
                self.source_ended = true;
                Ok(false)
            }
            Ok(_) => Ok(true),
            Err(error) if is_tick(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes what it can.
    fn write(&mut self, source: &mut Wire, sink: &mut Wire) -> io::Result<()> {
        if self.over {
            return Ok(());
        }
        if source.received().is_empty() {
            match sink.conn.flush() {
                Err(error) if !is_tick(&error) => return Err(error),
                _ => {}
            }
        } else {
            match sink.conn.write(&[IoSlice::new(source.received())]) {
                Ok(written) => source.consume(written),
                Err(error) if is_tick(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if self.source_ended && source.received().is_empty() && !sink.conn.owes() {
            // A sink that is gone already needs no telling; one that is full is told later.
            self.over = !matches!(sink.conn.end_writing(), Err(error) if is_tick(&error));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
