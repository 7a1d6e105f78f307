//! What a payload may ask of a real security module, whose registers it shares
//! with the monitor and whose locks last as long as the enclave.

use crate::message::{self, ErrorCode, Request};

/// The registers that a measured launch extends and locks there: one by the
/// payload's manifest, one by the monitor's.
pub const PAYLOAD: u16 = 16;
pub const MONITOR: u16 = 17;

/// The rules for requests that are forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// [`PAYLOAD`] and [`MONITOR`] are the launch's.
    pub measured: bool,
    /// `LockPCRs`, which touches all lower registers, is allowed.
    pub lock_ranges: bool,
}

impl Policy {
    /// Whether `request` may be forwarded as it is.
    ///
    /// # Errors
    ///
    /// What is answered instead. A request that is not known is forwarded; one
    /// that is, but that this decoder and the module's may read differently,
    /// is not.
    pub fn judge(&self, request: &[u8]) -> Result<(), ErrorCode> {
        let of_launch = if self.measured { MONITOR + 1 } else { PAYLOAD };
        match Request::decode(request) {
            Ok(
                Request::DescribeNsm
                | Request::GetRandom
                | Request::DescribePcr { .. }
                | Request::Attestation(_),
            ) => Ok(()),
            Ok(Request::ExtendPcr { index, .. } | Request::LockPcr { index }) => {
                if index < of_launch {
                    Err(ErrorCode::ReadOnlyIndex)
                } else {
                    Ok(())
                }
            }
            Ok(Request::LockPcrs { .. }) if self.lock_ranges => Ok(()),
            Ok(Request::LockPcrs { .. }) => Err(ErrorCode::InvalidOperation),
            Err(ErrorCode::InputTooLarge) => Err(ErrorCode::InputTooLarge),
            Err(_) => match message::name(request) {
                Some(name) if is_plain(&name) && !message::is_known(&name) => Ok(()),
                _ => Err(ErrorCode::InvalidOperation),
            },
        }
    }
}

/// Whether nobody can take a name for a shorter one.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Options;

    const CLOSED: Policy = Policy {
        measured: true,
        lock_ranges: false,
    };

    #[test]
    fn the_launchs_registers_are_out_of_reach() {
        let judge = |policy: Policy, request: &Request| policy.judge(&request.encode());
        for (index, allowed) in [(0, false), (16, false), (17, false), (18, true), (31, true)] {
            let data = vec![1];
            for request in [
                Request::ExtendPcr { index, data },
                Request::LockPcr { index },
            ] {
                assert_eq!(judge(CLOSED, &request).is_ok(), allowed, "{request:?}");
                let open = Policy {
                    measured: false,
                    ..CLOSED
                };
                assert_eq!(judge(open, &request).is_ok(), allowed || index >= 16);
            }
        }
        let range = Request::LockPcrs { range: 32 };
        assert!(judge(CLOSED, &range).is_err());
        let allowed = Policy {
            lock_ranges: true,
            ..CLOSED
        };
        assert_eq!(judge(allowed, &range), Ok(()));
        for request in [
            Request::DescribeNsm,
            Request::GetRandom,
            Request::DescribePcr { index: 16 },
            Request::Attestation(Options::default()),
        ] {
            assert_eq!(judge(CLOSED, &request), Ok(()));
        }
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_not_forwarded() {
        // A lock of 16 as an array, with a key twice, and with something after
        // it.
        let array = b"\x82\x67LockPCR\xa1\x65index\x10";
        let twice = b"\xa1\x67LockPCR\xa2\x65index\x12\x65index\x10";
        let more = b"\xa1\x67LockPCR\xa1\x65index\x12\x00";
        let outer = b"\xbf\x67LockPCR\xa1\x65index\x10\xff";
        let named = b"\xa1\x69LockPCR\x00x\xa1\x65index\x10";
        for request in [&array[..], twice, more, outer, named, b"", b"\x00"] {
            assert!(CLOSED.judge(request).is_err(), "{request:x?}");
        }
        assert_eq!(CLOSED.judge(b"\x66Future"), Ok(()));
        assert_eq!(CLOSED.judge(b"\xa1\x66Future\xa1\x61x\x81\x01"), Ok(()));
        assert!(CLOSED.judge(&[0; 4097]).is_err());
    }
}
