//! Writes the log: lines go into a bounded buffer, and a thread writes them to standard error.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::dispatcher;
use tracing_subscriber::fmt::MakeWriter;

use crate::user_name::is_disallowed;

/// The most bytes that wait to be written: about 10,000 lines.
const MAX_WAITING: usize = 2 << 20;
/// How much memory an empty buffer keeps.
const MAX_KEPT: usize = 64 << 10;
/// How long to wait where standard error does not block and has no room at the moment.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Takes the lines of the log. It never waits for their reader, and never fails: what cannot be written is dropped
/// and counted.
///
/// Lines are written in order, all that wait in one write.
#[derive(Clone, Debug)]
pub(crate) struct LogWriter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    /// Wakes the thread: there are lines.
    filled: Condvar,
    /// Wakes [`LogWriter::finish`]: no lines are left.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    waiting: Vec<u8>,
    /// Whether the thread is writing lines that it has taken from `waiting`.
    writing: bool,
    dropped: u64,
}

impl LogWriter {
    /// Starts the thread. It ends with the process.
    pub(crate) fn open() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        // Not `io::Stderr`: its lock would be held while a reader is stuck, and a panic's message waits for it.
        let output = Output {
            file: File::from(io::stderr().as_fd().try_clone_to_owned()?),
            torn: false,
        };
        thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(output))?;
        Ok(Self(shared))
    }

    /// Waits until everything is written, for at most `timeout`.
    pub(crate) fn finish(&self, timeout: Duration) {
        let buffer = self.0.lock();
        let busy = |buffer: &mut Buffer| buffer.writing || !buffer.waiting.is_empty();
        drop(self.0.emptied.wait_timeout_while(buffer, timeout, busy));
    }

    /// How many lines the process' log has lost; 0 if the log is not ours.
    pub(crate) fn dropped_lines() -> u64 {
        dispatcher::get_default(|log| {
            let writer = log.downcast_ref::<Self>();
            writer.map_or(0, |writer| writer.0.lock().dropped)
        })
    }
}

impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = line.len();
        let line = &*escaped(line);
        let mut buffer = self.0.lock();
        if buffer.waiting.len() + line.len() > MAX_WAITING {
            buffer.dropped += lines(line);
        } else {
            // Waking the thread costs more than copying a line; while it writes it needs none, because it looks again.
            let is_asleep = buffer.waiting.is_empty() && !buffer.writing;
            buffer.waiting.extend_from_slice(line);
            drop(buffer);
            if is_asleep {
                self.0.filled.notify_one();
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Shared {
    // A panic while the lock was held cannot leave a buffer half changed.
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut output: Output) {
        let mut batch = Vec::new();
        loop {
            self.take(&mut batch);
            let lost = output.write(&batch);
            batch.clear();
            batch.shrink_to(MAX_KEPT);
            let mut buffer = self.lock();
            buffer.writing = false;
            buffer.dropped += lost;
        }
    }

    /// Waits for lines, and takes all there are.
    fn take(&self, batch: &mut Vec<u8>) {
        let mut buffer = self.lock();
        while buffer.waiting.is_empty() {
            self.emptied.notify_all();
            let filled = self.filled.wait(buffer);
            buffer = filled.unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(batch, &mut buffer.waiting);
        buffer.writing = true;
    }
}

/// Standard error.
struct Output {
    file: File,
    /// Whether the last line was cut short.
    torn: bool,
}

impl Output {
    /// Returns how many of the lines could not be written whole.
    fn write(&mut self, batch: &[u8]) -> u64 {
        // The line after one that was cut short begins on a new line.
        if self.torn && self.write_all(b"\n").is_err() {
            return lines(batch);
        }
        let Err(written) = self.write_all(batch) else {
            self.torn = false;
            return 0;
        };
        let (done, lost) = batch.split_at(written);
        self.torn = done.last().is_some_and(|last| *last != b'\n');
        lines(lost)
    }

    /// The error is the number of bytes that were written.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
                Ok(_) | Err(_) => return Err(bytes.len() - rest.len()),
            }
        }
        Ok(())
    }
}

/// Writes as JSON does what would move a terminal's cursor, or is the end of a line to some readers: JSON leaves DEL, the
/// controls from U+0080 and the line separators as they are. ASCII's other controls are the format's, and U+FFFD stands for
/// what was replaced already.
fn escaped(line: &[u8]) -> Cow<'_, [u8]> {
    const DEL: u8 = 0x7f;
    if line.is_ascii() && !line.contains(&DEL) {
        return line.into();
    }
    let is_hidden = |character| {
        character >= char::from(DEL)
            && character != char::REPLACEMENT_CHARACTER
            && is_disallowed(character)
    };
    let mut text = String::with_capacity(2 * line.len());
    for character in String::from_utf8_lossy(line).chars() {
        if is_hidden(character) {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units).iter();
            text.extend(units.map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(character);
        }
    }
    text.into_bytes().into()
}

fn lines(bytes: &[u8]) -> u64 {
    let pieces = bytes.split(|byte| *byte == b'\n').count();
    (pieces - 1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_is_hidden_is_written_as_json_writes_it() {
        for (line, expected) in [
            ("{\"user\":\"amy\"}\n", "{\"user\":\"amy\"}\n"),
            (
                "zo\u{eb} \u{2602} \u{1f600}\n",
                "zo\u{eb} \u{2602} \u{1f600}\n",
            ),
            ("a\u{7f}b\u{85}c\u{9b}31m", "a\\u007fb\\u0085c\\u009b31m"),
            ("a\u{2028}b\u{2029}c", "a\\u2028b\\u2029c"),
            ("a\u{202e}b\u{200b}c", "a\\u202eb\\u200bc"),
            ("a\u{e0041}b", "a\\udb40\\udc41b"),
            ("a\u{fffd}b", "a\u{fffd}b"),
            (
                "\u{1b}[2mdim\u{1b}[0m \u{eb}",
                "\u{1b}[2mdim\u{1b}[0m \u{eb}",
            ),
        ] {
            assert_eq!(escaped(line.as_bytes()), expected.as_bytes(), "{expected}");
        }
    }
}
