//! How `init` speaks to the runner, over a serial line: frames of a magic
//! number, a length, a checksum, and a message in postcard's encoding. Nobody
//! else should write to that line, but the reader looks for the magic number
//! rather than trust that.

use std::io::{self, BufRead, Read, Write};

use super::Message;

const MAGIC: [u8; 4] = *b"\x02km\x03";

/// No message is near this long: outputs are bounded.
const LIMIT: u32 = 64 << 20;

pub fn send(line: &mut impl Write, message: &Message) -> io::Result<()> {
    let payload = postcard::to_stdvec(message).map_err(io::Error::other)?;
    let len = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut frame = MAGIC.to_vec();
    frame.extend(len.to_le_bytes());
    frame.extend(crc32fast::hash(&payload).to_le_bytes());
    frame.extend(payload);
    line.write_all(&frame)?;
    line.flush()
}

/// The next message; nothing at the end of the line.
pub fn receive(line: &mut impl BufRead) -> io::Result<Option<Message>> {
    if !skip_to_magic(line)? {
        return Ok(None);
    }
    let len = number(line)?;
    let checksum = number(line)?;
    if len > LIMIT {
        return Err(io::Error::other(format!("a message of {len} bytes")));
    }
    let mut payload = Vec::new();
    line.take(len.into()).read_to_end(&mut payload)?;
    if payload.len() as u64 != u64::from(len) || crc32fast::hash(&payload) != checksum {
        return Err(io::Error::other("a damaged message"));
    }
    postcard::from_bytes(&payload)
        .map(Some)
        .map_err(io::Error::other)
}

fn number(line: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    line.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Reads up to behind the next magic number.
fn skip_to_magic(line: &mut impl BufRead) -> io::Result<bool> {
    let mut seen = [0; MAGIC.len()];
    for byte in line.bytes() {
        seen.rotate_left(1);
        seen[MAGIC.len() - 1] = byte?;
        if seen == MAGIC {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{End, Outcome};

    fn frame(index: u32, stdout: &[u8]) -> Vec<u8> {
        let mut outcome = Outcome::without_output(End::Exit(0));
        outcome.stdout = stdout.to_vec();
        let mut line = Vec::new();
        send(&mut line, &Message::Finished(index, outcome)).expect("sent");
        line
    }

    #[test]
    fn messages_arrive_amid_noise() {
        let mut line = b"[    0.1] noise \x02k".to_vec();
        line.extend(frame(7, b"\x02km\x03 in the text"));
        line.extend(b"\nmore noise\n");
        line.extend(frame(8, b""));
        line.extend(b"and more");
        let mut line = line.as_slice();
        let first = receive(&mut line).expect("received");
        let Some(Message::Finished(7, outcome)) = first else {
            panic!("{first:?}")
        };
        assert_eq!(outcome.stdout, b"\x02km\x03 in the text");
        assert!(matches!(
            receive(&mut line),
            Ok(Some(Message::Finished(8, _)))
        ));
        assert!(matches!(receive(&mut line), Ok(None)));
    }

    #[test]
    fn damage_is_noticed() {
        let whole = frame(1, b"some output");
        for cut in 4..whole.len() {
            assert!(receive(&mut &whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in 4..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(receive(&mut damaged.as_slice()).is_err(), "damaged at {at}");
        }
    }
}
