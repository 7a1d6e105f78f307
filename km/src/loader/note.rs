//! What a program, or the dynamic linker, says of km's own C library: an ELF
//! note (`elf(5)`) with the version of the contract that it was built for.
//! Pure, as the reading of ELF files is.

use km_abi::hypercalls::{NOTE_NAME, NOTE_TYPE};

/// Notes are padded to this, in bytes.
const ALIGN: usize = 4;

/// The version in `notes`, the content of a `PT_NOTE` segment, if there is one.
pub fn runtime_abi(notes: &[u8]) -> Option<u32> {
    let mut rest = notes;
    loop {
        let (name_len, after) = word(rest)?;
        let (content_len, after) = word(after)?;
        let (kind, after) = word(after)?;
        let name = after.get(..name_len as usize)?;
        let after = after.get(padded(name_len)?..)?;
        let content = after.get(..content_len as usize)?;
        if kind == NOTE_TYPE && name.strip_suffix(&[0]) == Some(NOTE_NAME) {
            return word(content).map(|(version, _)| version);
        }
        rest = after.get(padded(content_len)?..)?;
    }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word), rest))
}

fn padded(len: u32) -> Option<usize> {
    (len as usize).checked_next_multiple_of(ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(name: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len() as u32, content.len() as u32, kind] {
            note.extend(word.to_le_bytes());
        }
        for part in [name, content] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(ALIGN), 0);
        }
        note
    }

    #[test]
    fn the_version_is_found_among_other_notes() {
        let build_id = note(b"GNU\0", 3, &[7; 20]);
        let own = note(b"kontain\0", 1, &5u32.to_le_bytes());
        assert_eq!(runtime_abi(&own), Some(5));
        assert_eq!(runtime_abi(&[build_id.clone(), own].concat()), Some(5));
        assert_eq!(runtime_abi(&build_id), None);
        assert_eq!(runtime_abi(&note(b"kontain\0", 2, &[0; 4])), None);
        assert_eq!(runtime_abi(&note(b"kontain", 1, &[0; 4])), None, "no NUL");
        assert_eq!(runtime_abi(&note(b"kontain\0", 1, &[0; 2])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>) {
            let _ = runtime_abi(&bytes);
        }
    }
}
