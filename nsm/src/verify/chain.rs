//! A chain of certificates, from the root that is trusted down to the leaf.
//!
//! The order is fixed, and so is the algorithm: nothing is searched for.

use std::fmt;

use thiserror::Error;

use super::certificate::{Certificate, CertificateError};
use super::date::Date;
use super::payload::MOST_BUNDLE;

/// Why a chain does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainError {
    #[error("{count} certificates above the leaf, where there can be {MOST_BUNDLE}")]
    Length { count: usize },
    #[error("{at}: {error}")]
    Certificate {
        at: Position,
        error: CertificateError,
    },
    #[error("{at}: issued by another than the one above")]
    Issuer { at: Position },
    #[error("{at}: not signed by the one above")]
    Signature { at: Position },
    #[error("{at}: not valid before {}", Date(*.from))]
    NotYetValid { at: Position, from: u64 },
    #[error("{at}: expired at {}", Date(*.end))]
    Expired { at: Position, end: u64 },
    #[error("{at}: no certificate authority, but one stands below it")]
    NoAuthority { at: Position },
    #[error("{at}: its basic constraints are not critical")]
    NotCritical { at: Position },
    #[error("{at}: {below} authorities below it, where it allows {allowed}")]
    PathLength {
        at: Position,
        below: usize,
        allowed: u8,
    },
    #[error("{at}: its key is not for signing certificates")]
    NoCertificateSigning { at: Position },
    #[error("{at}: a certificate authority")]
    LeafAuthority { at: Position },
    #[error("{at}: it limits a path, and is no authority")]
    LeafPathLength { at: Position },
    #[error("{at}: its key is not for signing")]
    NoDigitalSignature { at: Position },
}

/// Where in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    Root,
    /// From 1, the one below the root.
    Intermediate(usize),
    Leaf,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Root => write!(formatter, "root"),
            Position::Intermediate(number) => write!(formatter, "intermediate {number}"),
            Position::Leaf => write!(formatter, "leaf"),
        }
    }
}

/// Certificates of which each has to be issued by the one before.
#[derive(Debug)]
pub struct Chain<'a> {
    /// Root first.
    authorities: Vec<Certificate<'a>>,
    leaf: Certificate<'a>,
}

impl<'a> Chain<'a> {
    /// The chain of these certificates (DER). The root is believed.
    ///
    /// # Errors
    ///
    /// When they are too many, or one of them is malformed or has a critical
    /// extension that is not known here.
    pub fn parse(
        root: &'a [u8],
        intermediates: &[&'a [u8]],
        leaf: &'a [u8],
    ) -> Result<Chain<'a>, ChainError> {
        let count = intermediates.len().saturating_add(1);
        if u64::try_from(count).map_or(true, |count| count > MOST_BUNDLE) {
            return Err(ChainError::Length { count });
        }
        let parse = |at, bytes| {
            Certificate::parse(bytes).map_err(|error| ChainError::Certificate { at, error })
        };
        let mut authorities = vec![parse(Position::Root, root)?];
        for (bytes, number) in intermediates.iter().zip(1..) {
            authorities.push(parse(Position::Intermediate(number), bytes)?);
        }
        let leaf = parse(Position::Leaf, leaf)?;
        Ok(Chain { authorities, leaf })
    }

    /// That each certificate names the one above it as its issuer, and is
    /// signed by it.
    ///
    /// # Errors
    ///
    /// When one is not.
    pub fn check_links(&self) -> Result<(), ChainError> {
        let above = self.authorities.iter();
        let below = self.all().skip(1);
        for (above, (at, below)) in above.zip(below) {
            if below.issuer != above.subject {
                return Err(ChainError::Issuer { at });
            }
            if !above.has_signed(below) {
                return Err(ChainError::Signature { at });
            }
        }
        Ok(())
    }

    /// That all are valid at that time, the root included.
    ///
    /// # Errors
    ///
    /// When one is not, or not any more.
    pub fn check_validity(&self, seconds: u64) -> Result<(), ChainError> {
        for (at, certificate) in self.all() {
            if seconds < certificate.not_before {
                let from = certificate.not_before;
                return Err(ChainError::NotYetValid { at, from });
            }
            if seconds > certificate.not_after {
                let end = certificate.not_after;
                return Err(ChainError::Expired { at, end });
            }
        }
        Ok(())
    }

    /// That authorities may be authorities for this chain, and that the leaf
    /// is none and may sign.
    ///
    /// # Errors
    ///
    /// When a certificate is not for what it is used for.
    pub fn check_roles(&self) -> Result<(), ChainError> {
        for (at, certificate) in self.all() {
            if at == Position::Leaf {
                leaf_role(at, certificate)?;
            } else {
                authority_role(at, certificate, self.authorities_below(at))?;
            }
        }
        Ok(())
    }

    /// The leaf, whose key signs documents.
    pub fn leaf(&self) -> &Certificate<'a> {
        &self.leaf
    }

    /// Root first, leaf last.
    pub fn all(&self) -> impl Iterator<Item = (Position, &Certificate<'a>)> {
        let authorities = self.authorities.iter().enumerate();
        let authorities = authorities.map(|(number, certificate)| match number {
            0 => (Position::Root, certificate),
            number => (Position::Intermediate(number), certificate),
        });
        authorities.chain([(Position::Leaf, &self.leaf)])
    }

    /// How many authorities stand below one; those that are issued to
    /// themselves count as well.
    fn authorities_below(&self, at: Position) -> usize {
        let above_and_itself = match at {
            Position::Root => 1,
            Position::Intermediate(number) => number.saturating_add(1),
            Position::Leaf => return 0,
        };
        self.authorities.len().saturating_sub(above_and_itself)
    }
}

fn authority_role(at: Position, certificate: &Certificate, below: usize) -> Result<(), ChainError> {
    let Some((critical, constraints)) = &certificate.basic_constraints else {
        return Err(ChainError::NoAuthority { at });
    };
    if !constraints.ca {
        return Err(ChainError::NoAuthority { at });
    }
    if !critical {
        return Err(ChainError::NotCritical { at });
    }
    if let Some(allowed) = constraints.path_len_constraint
        && below > usize::from(allowed)
    {
        return Err(ChainError::PathLength { at, below, allowed });
    }
    let usage = certificate.key_usage.as_ref();
    if !usage.is_some_and(|usage| usage.key_cert_sign()) {
        return Err(ChainError::NoCertificateSigning { at });
    }
    Ok(())
}

fn leaf_role(at: Position, certificate: &Certificate) -> Result<(), ChainError> {
    if let Some((_, constraints)) = &certificate.basic_constraints {
        if constraints.ca {
            return Err(ChainError::LeafAuthority { at });
        }
        if constraints.path_len_constraint.is_some() {
            return Err(ChainError::LeafPathLength { at });
        }
    }
    let usage = certificate.key_usage.as_ref();
    if !usage.is_some_and(|usage| usage.digital_signature()) {
        return Err(ChainError::NoDigitalSignature { at });
    }
    Ok(())
}
