//! What the one who asks demands beyond a genuine document.

use std::time::Duration;

use thiserror::Error;

use super::hex::Hex;
use super::payload::Payload;
use super::{Options, Time};

/// How far a document's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(60);

/// What a document does not have as it was demanded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    #[error("PCR0 is missing")]
    NoPcr0,
    #[error("PCR0 is zero: the enclave runs in debug mode")]
    Debug,
    #[error("PCR {index} is missing")]
    PcrMissing { index: u8 },
    #[error("PCR {index} is {}", Hex::from(.found))]
    Pcr { index: u8, found: Vec<u8> },
    #[error("there is none")]
    OptionMissing,
    #[error("it is another: {}", Hex::from(.found).short())]
    Option { found: Vec<u8> },
    #[error("it is {seconds} s old, and may be {most}")]
    Old { seconds: u64, most: u64 },
    #[error("it is from the future, by {seconds} s")]
    Future { seconds: u64 },
    #[error("how old it is cannot be told at its own time")]
    NoClock,
}

/// That the enclave was not started in debug mode, where the host can see and
/// change everything in it.
///
/// # Errors
///
/// When it was, and that is not allowed, or it cannot be told.
pub fn debug(payload: &Payload, options: &Options) -> Result<String, PolicyError> {
    let value = payload.pcrs.get(&0).ok_or(PolicyError::NoPcr0)?;
    if value.iter().any(|byte| *byte != 0) {
        return Ok("PCR0 is not zero".to_owned());
    }
    if options.allow_debug {
        return Ok("PCR0 is zero: debug mode, which is allowed".to_owned());
    }
    Err(PolicyError::Debug)
}

/// That all PCRs that were named are as expected.
///
/// # Errors
///
/// When one is not, or is not there.
pub fn pcrs(payload: &Payload, options: &Options) -> Result<String, PolicyError> {
    for (&index, expected) in &options.pcrs {
        let found = payload.pcrs.get(&index);
        let found = *found.ok_or(PolicyError::PcrMissing { index })?;
        if found != expected {
            let found = found.to_vec();
            return Err(PolicyError::Pcr { index, found });
        }
    }
    let indices: Vec<String> = options.pcrs.keys().map(u8::to_string).collect();
    Ok(format!("as expected: {}", indices.join(", ")))
}

/// That one of nonce, user data and public key is as expected.
///
/// # Errors
///
/// When it is not, or there is none.
pub fn option(found: Option<&[u8]>, expected: &[u8]) -> Result<String, PolicyError> {
    let found = found.ok_or(PolicyError::OptionMissing)?;
    if found != expected {
        let found = found.to_vec();
        return Err(PolicyError::Option { found });
    }
    Ok("as expected".to_owned())
}

/// That the document is no older than that, and not from the future.
///
/// # Errors
///
/// When it is.
pub fn age(payload: &Payload, time: Time, most: Duration) -> Result<String, PolicyError> {
    let Time::Given(now) = time else {
        return Err(PolicyError::NoClock);
    };
    let signed = Duration::from_millis(payload.timestamp);
    let now = Duration::from_millis(now);
    if let Some(ahead) = signed.checked_sub(now)
        && ahead > AHEAD
    {
        let seconds = ahead.as_secs();
        return Err(PolicyError::Future { seconds });
    }
    let age = now.saturating_sub(signed);
    let seconds = age.as_secs();
    if age > most {
        let most = most.as_secs();
        return Err(PolicyError::Old { seconds, most });
    }
    Ok(format!("{seconds} s old"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{PCR_LENGTH, Root};
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn payload(pcrs: BTreeMap<u8, &[u8]>) -> Payload<'_> {
        Payload {
            module_id: "m",
            digest: "SHA384",
            timestamp: NOW,
            pcrs,
            certificate: &[],
            cabundle: Vec::new(),
            public_key: None,
            user_data: None,
            nonce: None,
        }
    }

    #[test]
    fn debug_mode_is_refused_unless_allowed() {
        let mut options = Options::new(Root::AWS, Time::Document);
        let running = payload(BTreeMap::from([(0, &[0, 1][..])]));
        let debugged = payload(BTreeMap::from([(0, &[0; 48][..])]));
        let unknown = payload(BTreeMap::from([(1, &[1; 48][..])]));
        for (payload, refused, allowed) in [
            (&running, None, None),
            (&debugged, Some(PolicyError::Debug), None),
            (
                &unknown,
                Some(PolicyError::NoPcr0),
                Some(PolicyError::NoPcr0),
            ),
        ] {
            options.allow_debug = false;
            assert_eq!(debug(payload, &options).err(), refused);
            options.allow_debug = true;
            assert_eq!(debug(payload, &options).err(), allowed);
        }
    }

    #[test]
    fn pcrs_are_compared_whole() {
        let mut options = Options::new(Root::AWS, Time::Document);
        options.pcrs = BTreeMap::from([(2, [5; PCR_LENGTH])]);
        let right = payload(BTreeMap::from([(2, &[5; 48][..])]));
        assert_eq!(pcrs(&right, &options).as_deref(), Ok("as expected: 2"));
        let short = payload(BTreeMap::from([(2, &[5; 32][..])]));
        let found = vec![5; 32];
        let error = PolicyError::Pcr { index: 2, found };
        assert_eq!(pcrs(&short, &options), Err(error));
        let absent = payload(BTreeMap::new());
        let error = PolicyError::PcrMissing { index: 2 };
        assert_eq!(pcrs(&absent, &options), Err(error));
    }

    #[test]
    fn an_empty_option_is_not_an_absent_one() {
        assert!(option(Some(&[]), &[]).is_ok());
        assert_eq!(option(None, &[]), Err(PolicyError::OptionMissing));
        let found = vec![1];
        assert_eq!(option(Some(&[1]), &[]), Err(PolicyError::Option { found }));
    }

    #[test]
    fn age_has_two_ends() {
        let payload = payload(BTreeMap::new());
        let most = Duration::from_secs(300);
        let at = |now| age(&payload, Time::Given(now), most).err();
        assert_eq!(at(NOW), None);
        assert_eq!(at(NOW + 300_000), None);
        let old = PolicyError::Old {
            seconds: 300,
            most: 300,
        };
        assert_eq!(at(NOW + 300_001), Some(old));
        assert_eq!(at(NOW - 60_000), None);
        let future = PolicyError::Future { seconds: 61 };
        assert_eq!(at(NOW - 61_000), Some(future));
        let own = age(&payload, Time::Document, most);
        assert_eq!(own, Err(PolicyError::NoClock));
    }
}
